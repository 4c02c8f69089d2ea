"""Pauses and resumes everything that a session has to do, as a person wants it with one click."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_bgdl.model import Phase
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.scheduler import Scheduler
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.views import Row

_AT_ONCE = 200
"""Tasks that are changed in one transaction: some 40 ms."""


class Pausing:
    def __init__(self, ledger: Ledger, sessions: Sessions, scheduler: Scheduler) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._scheduler = scheduler

    async def pause(self, user: str, identifier: str) -> None:
        """What waits comes first: nothing is to begin because something else has stopped."""
        session = self._sessions.get(user, identifier)["id"]
        await self._each(session, Phase.WAITING, self._scheduler.suspend)
        await self._each(session, Phase.RUNNING, self._scheduler.suspend)

    async def resume(self, user: str, identifier: str) -> None:
        session = self._sessions.get(user, identifier)["id"]
        await self._each(session, Phase.SUSPENDED, self._scheduler.resume)

    async def _each(self, session: int, phase: Phase, change: Callable[[Row], Row]) -> None:
        """Bit by bit: there may be 100,000, and others want something."""
        after = 0
        while rows := self._ledger.all(
            "in_phase", session=session, phase=phase.value, after=after, limit=_AT_ONCE
        ):
            with self._ledger.transaction():
                for row in rows:
                    change(row)
            self._scheduler.pump()
            after = rows[-1]["number"]
            await asyncio.sleep(0)
