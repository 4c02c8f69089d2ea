"""Parts of cancelled downloads that somebody holds resume data for.

    cancelled with a wish ──the engine let go──▶ kept, and a token for it ──used──▶ a task's part
                                                   └──KEEP seconds, or lost──▶ deleted, no use

The token is random and says nothing; the request with its secrets, and where the part is, stay in
the ledger, which holds the token's digest only. An altered one is unknown.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from jupyter_bgdl.engine.part import is_part
from jupyter_bgdl.engine.protocol import Extents, Part
from jupyter_bgdl.errors import InvalidResumeData
from jupyter_bgdl.model import TaskSpec
from jupyter_bgdl.service import staging
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import part_of, staged_in
from jupyter_bgdl.service.units import extents_of
from jupyter_bgdl.service.views import Row, spec_of

KEEP = 30 * 86400.0
"""Seconds after which resume data that nobody used is of no use any more."""


class Kept(Struct, frozen=True, kw_only=True):
    """What resume data stands for."""

    spec: TaskSpec
    part: Part
    extents: Extents
    validator: str
    total: int | None
    staged_in: str | None
    """The staging folder that it is in; None: it is beside its destination."""

    @property
    def received(self) -> int:
        return sum(end - start for start, end in self.extents)

    def check(self) -> None:
        """Raises :class:`InvalidResumeData` if the part is not what it was. Blocks."""
        try:
            status = os.lstat(self.part.path)
        except OSError as error:
            raise InvalidResumeData(
                f"What had been fetched of {self._name} is gone: {self.part.path} can't be read. "
                "Download it anew."
            ) from error
        # Devices are numbered anew when the machine starts.
        found = Part(self.part.path, status.st_dev, self.part.inode)
        if not is_part(status, found) or status.st_size < self.extents[-1][1]:
            raise InvalidResumeData(
                f"{self.part.path} is not the file any more that had been fetched of {self._name}. "
                "Download it anew."
            )

    @property
    def _name(self) -> str:
        return Path(self.spec.destination or self.part.path).name or "the file"


class KeptParts:
    def __init__(self, ledger: Ledger, sessions: Sessions, leftovers: Leftovers) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._leftovers = leftovers
        self._wanted: dict[int, asyncio.Future[str | None]] = {}

    def want(self, row: Row) -> asyncio.Future[str | None]:
        """Before it is cancelled: what becomes of it, a token or None."""
        known = self._wanted.get(row["id"])
        if known is None or known.done():
            known = self._wanted[row["id"]] = asyncio.get_running_loop().create_future()
        return known

    # Inside a transaction

    def take(self, row: Row) -> bool:
        """A cancelled download that nobody writes to any more: whether its part is kept. Not if
        the one who wanted it has given up waiting."""
        wanted = self._wanted.get(row["id"])
        if wanted is None or wanted.done():
            self._wanted.pop(row["id"], None)
            return False
        part, spec = part_of(row), spec_of(row)
        kept = None
        if part and row["validator"] and extents_of(row) and spec.request.method == "GET":
            kept = Kept(
                spec=spec,
                part=part,
                extents=extents_of(row),
                validator=row["validator"],
                total=row["total"],
                staged_in=staged_in(row),
            )
        token = None
        if kept is not None:
            token = secrets.token_urlsafe(32)
            self._ledger.run(
                "keep_part",
                digest=_digest(token),
                user=self._sessions.name(row["session"])[0],
                body=msgspec.json.encode(kept),
                now=time.time(),
            )
        self._answer(row, token)
        return kept is not None

    def too_late(self, row: Row) -> None:
        """It was done before it could be cancelled."""
        self._answer(row, None)

    def used(self, token: str) -> None:
        """A task has the part now."""
        self._ledger.run("use_part", digest=_digest(token))

    def tidy(self) -> None:
        """Delete what nobody asked for in a long time."""
        for row in self._ledger.all("old_parts", before=time.time() - KEEP):
            if not row["used"]:
                kept = _decode(row)
                self._ledger.on_commit(
                    lambda kept=kept: self._leftovers.blocking(  # type: ignore[misc]
                        lambda: staging.drop(kept.part, kept.staged_in)
                    )
                )
            self._ledger.run("forget_part", digest=row["digest"])

    # Reading

    def find(self, user: str, token: str) -> tuple[Kept, bool]:
        """What it stands for, and whether it was used. Raises :class:`InvalidResumeData`."""
        row = self._ledger.one("kept_part", digest=_digest(token), user=user)
        if row is None:
            raise InvalidResumeData(
                "This resume data is unknown here: it was altered, is older than 30 days, or comes "
                "from another server. Download the file anew."
            )
        return _decode(row), bool(row["used"])

    def paths(self, user: str) -> list[str]:
        """The parts that nobody has gone on with yet."""
        return [_decode(row).part.path for row in self._ledger.all("unused_parts", user=user)]

    def _answer(self, row: Row, token: str | None) -> None:
        future = self._wanted.pop(row["id"], None)
        if future is not None:
            self._ledger.on_commit(lambda: None if future.done() else future.set_result(token))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _decode(row: Row) -> Kept:
    return msgspec.json.decode(row["body"], type=Kept)
