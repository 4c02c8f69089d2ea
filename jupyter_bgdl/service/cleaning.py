"""Forgets what is over and deletes its parts; never a file that is finished.

clean    completed tasks of which everything was told
expire   completed tasks, and what nobody claimed of them, after ``keep_finished``
purge    a session with all that it has: what runs is cancelled first

What resume data stands for belongs to no session: it stays until it is used or too old
(:mod:`jupyter_bgdl.service.kept_parts`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_bgdl.cleanup import Cleaned, Disk, Usage, UsageReport
from jupyter_bgdl.engine.room import free_in
from jupyter_bgdl.errors import ServerUnavailable
from jupyter_bgdl.service import staging
from jupyter_bgdl.service.endings import Endings
from jupyter_bgdl.service.kept_parts import KeptParts
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.views import Row

_AT_ONCE = 200
"""Tasks that are forgotten in one transaction."""
_LET_GO = 30.0
"""Seconds within which the engine lets go of what is cancelled."""
_LOOK = 0.02


class Cleaning:
    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        tasks: Tasks,
        leftovers: Leftovers,
        endings: Endings,
        kept_parts: KeptParts,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._leftovers = leftovers
        self._endings = endings
        self._kept_parts = kept_parts

    async def usage(self, user: str) -> UsageReport:
        """Of all sessions of that user, and of their resume data."""
        found = []
        for session in self._ledger.all("sessions", user=user):
            held = self._ledger.all("holding_files", session=session["id"])
            parts = [row["part_path"] for row in held if row["part_path"]]
            staged = [row["keep"] for row in held if row["keep"]]
            removable = self._ledger.one("count_removable", session=session["id"])
            assert removable
            found.append(
                Usage(
                    session=session["identifier"],
                    parts=await asyncio.to_thread(_size, parts),
                    staged=await asyncio.to_thread(_size, staged),
                    removable=removable["count"],
                )
            )
        kept = await asyncio.to_thread(_size, self._kept_parts.paths(user))
        total = kept + sum(one.parts + one.staged for one in found)
        to_come = {row["folder"]: row["bytes"] for row in self._ledger.all("to_come", user=user)}
        disks = await asyncio.to_thread(_disks, to_come)
        return UsageReport(sessions=found, disks=disks, kept=kept, total=total)

    async def clean(self, user: str, identifier: str | None) -> Cleaned:
        """Raises :class:`TaskNotFound` for a session that there is not."""
        if identifier is None:
            sessions = self._ledger.all("sessions", user=user)
        else:
            sessions = [self._sessions.get(user, identifier)]
        tasks = freed = 0
        for session in sessions:
            while rows := self._ledger.all("removable", session=session["id"], limit=_AT_ONCE):
                parts = [row["part_path"] for row in rows if row["part_path"]]
                freed += await asyncio.to_thread(_size, parts)
                tasks += self._forget(rows, "removable_of")
        return Cleaned(tasks=tasks, freed=freed)

    async def expire(self, keep: float) -> None:
        """What was completed ``keep`` seconds ago. A staged file that nobody took stays."""
        before = time.time() - keep
        while rows := self._ledger.all("expired", before=before, limit=_AT_ONCE):
            self._forget(rows, "expired_of", before=before)
            await asyncio.sleep(0)

    async def purge(self, user: str, identifier: str) -> None:
        """Raises :class:`TaskNotFound`, and :class:`ServerUnavailable` if the engine does not let
        go of what runs."""
        key = self._sessions.get(user, identifier)["id"]
        with self._ledger.transaction():
            self._endings.begin(self._sessions.by_id(key), cancel=True)
        await self._endings.cancel_rest(key)
        end = time.monotonic() + _LET_GO
        while self._ledger.one("is_active", session=key):
            if time.monotonic() > end:
                raise ServerUnavailable(f"{identifier!r} is still being cancelled; try again.")
            await asyncio.sleep(_LOOK)
        with self._ledger.transaction():
            self._ledger.run("drop_events", session=key)
            self._endings.dealt_with(self._sessions.by_id(key))

    def _forget(self, rows: Iterable[Row], still: str, **more: float) -> int:
        """Those that ``still`` are as they were: a cell may have opened one again meanwhile."""
        forgotten = 0
        keeps: list[str] = []
        with self._ledger.transaction():
            for row in rows:
                if not self._ledger.one(still, id=row["id"], **more):
                    continue
                self._leftovers.drop_part(row)
                self._tasks.remove(row)
                forgotten += 1
                if row["keep"] is not None:
                    keeps.append(row["keep"])
        for keep in keeps:
            self._leftovers.blocking(lambda keep=keep: staging.forget(keep))  # type: ignore[misc]
        return forgotten


def _disks(to_come: Mapping[str, int]) -> list[Disk]:
    found: dict[int, Disk] = {}
    for folder, size in to_come.items():
        with suppress(OSError):  # Whoever writes there finds out what is wrong with it.
            identity, free = free_in(folder)
            others = found[identity].to_come if identity in found else 0
            found[identity] = Disk(folder=folder, free=free, to_come=size + others)
    return sorted(found.values(), key=lambda disk: disk.free - disk.to_come)


def _size(paths: Iterable[str]) -> int:
    """What they hold on the disk. Blocks."""
    size = 0
    for path in paths:
        with suppress(OSError):
            size += os.lstat(Path(path)).st_blocks * 512
    return size
