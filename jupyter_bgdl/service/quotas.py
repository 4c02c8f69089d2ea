"""How much there may be of sessions, tasks, events and bytes: what would be too much is refused, in
words that name the setting; nothing that is there is touched."""

from __future__ import annotations

import time
from collections import Counter

from jupyter_bgdl.errors import QuotaExceeded
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.views import Row

_FRESH = 2.0
"""Seconds for which the sums of bytes are gone on from; what is freed meanwhile counts on until
somebody would be refused for it."""


class Quotas:
    """Lives in the service thread."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._held: Counter[int] = Counter()
        self._summed = float("-inf")

    def check_sessions(self) -> None:
        """Before one is added. Raises :class:`QuotaExceeded`."""
        row = self._ledger.one("count_sessions")
        assert row
        if row["count"] >= self._settings.max_sessions:
            raise _exceeded(
                "max_sessions", self._settings.max_sessions, "sessions", "Purge some of them."
            )

    def check_tasks(self, session: Row, more: int, *, told: bool) -> None:
        """Before ``more`` are added; ``told``: their events are for a delegate. Raises
        :class:`QuotaExceeded`."""
        if more <= 0:
            return
        settings = self._settings
        row = self._ledger.one("count_tasks", session=session["id"])
        assert row
        for name, most, count, of in (
            ("max_tasks_per_session", settings.max_tasks_per_session, row["mine"], "tasks of it"),
            ("max_tasks", settings.max_tasks, row["everybodys"], "tasks"),
        ):
            if count + more > most:
                raise _exceeded(name, most, of, f"There are {count}; remove completed ones.")
        if told and session["undelivered"] >= settings.max_events_per_session:
            raise _exceeded(
                "max_events_per_session",
                settings.max_events_per_session,
                "events of it that nobody has heard",
                "Attach a kernel that takes them.",
            )

    def refusal_of_bytes(self, row: Row) -> str | None:
        """Why a download, whose head has come, may not go on; None: it may. Inside the transaction
        that says how long it is."""
        settings, session = self._settings, row["session"]
        if settings.max_bytes is None and settings.max_bytes_per_session is None:
            return None
        if time.monotonic() - self._summed > _FRESH:
            self._sum()
        else:
            self._held[session] += max(row["total"] or 0, row["received"])
        if self._exceeded(session) is not None:
            self._sum()
        return self._exceeded(session)

    def _exceeded(self, session: int) -> str | None:
        for name, most, held, of in (
            (
                "max_bytes_per_session",
                self._settings.max_bytes_per_session,
                self._held[session],
                "bytes of unfinished and staged downloads of a session",
            ),
            (
                "max_bytes",
                self._settings.max_bytes,
                self._held.total(),
                "bytes of unfinished and staged downloads",
            ),
        ):
            if most is not None and held > most:
                words = f"With this one there would be {held}; try again when others are done."
                return _exceeded(name, most, of, words).message
        return None

    def _sum(self) -> None:
        self._held = Counter({row["session"]: row["bytes"] for row in self._ledger.all("held")})
        self._summed = time.monotonic()


def _exceeded(name: str, most: int, of: str, words: str) -> QuotaExceeded:
    return QuotaExceeded(f"BackgroundTransfers.{name} allows {most} {of}. {words}")
