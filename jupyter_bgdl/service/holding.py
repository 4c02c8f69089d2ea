"""Holds discretionary sessions back while conditions are not good: as ``isDiscretionary``.

Their tasks stay ready in the ledger, and are shown as waiting for ``conditions``: however many
there are, nothing is written when conditions come and go. Looked at whenever something may begin
or has ended, and every ``Settings.conditions_check`` seconds while something is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_bgdl.model import Phase, WaitingFor
from jupyter_bgdl.service.conditions import Conditions, Obstacle
from jupyter_bgdl.service.engagements import Engagements
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.session_log import SessionLog
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import TURN, Tasks
from jupyter_bgdl.service.turns import Turns

_SHOWN = 500
"""Tasks of a session whose views are told to be others."""
_KEEPS = 5.0
"""Seconds for which a look at the machine is good enough."""

YIELDS = Obstacle("Lets transfers of higher priority go first", stops=False)


class Holding:
    """Lives in the service thread."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        tasks: Tasks,
        log: SessionLog,
        engagements: Engagements,
        turns: Turns,
        held: dict[int, str],
        settings: Settings,
    ) -> None:
        """``held``: sessions that may not begin anything, and why; shared with the views."""
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._log = log
        self._engagements = engagements
        self._turns = turns
        self.held = held
        self._check = settings.conditions_check
        self._conditions = Conditions(
            settings.discretionary_load,
            settings.discretionary_hours,
            min(_KEEPS, settings.conditions_check),
            power=settings.power_supply,
        )
        self._timer: asyncio.TimerHandle | None = None

    def look(self, loop: asyncio.AbstractEventLoop | None, again: Callable[[], None]) -> None:
        """Find out who is held back now; ``again`` is called when it is time for the next look."""
        ready = self._turns.sessions()
        at_work = self._engagements.sessions()
        discretionary = {key for key in ready | at_work if self._is_discretionary(key)}
        obstacle = self._conditions.obstacle() if discretionary else None
        found: dict[int, Obstacle] = {}
        for key in discretionary:
            if obstacle is not None:
                found[key] = obstacle
            elif key in ready and self._turns.top(ready - discretionary) > self._turns.top({key}):
                found[key] = YIELDS
        self._change({key: obstacle.reason for key, obstacle in found.items()})
        for key in at_work & found.keys():
            if found[key].stops:
                self._stop(key)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if discretionary and loop is not None:
            self._timer = loop.call_later(self._check, again)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _is_discretionary(self, session: int) -> bool:
        row = self._ledger.one("session_by_id", id=session)
        if row is None:
            return False  # It ended before the engine had let go of its last task.
        return bool(row["unattended"]) or self._sessions.options(row).discretionary

    def _change(self, found: dict[int, str]) -> None:
        before = dict(self.held)
        if found == before:
            return
        self.held.clear()
        self.held.update(found)
        for key in before.keys() | found.keys():
            if before.get(key) == found.get(key):
                continue
            if key in found:
                with self._ledger.transaction():
                    self._log.decided(key, self._sessions.name(key)[1], found[key])
            for row in self._ledger.all("active_page", session=key, after=0, limit=_SHOWN):
                self._tasks.moved(key, row["number"])

    def _stop(self, session: int) -> None:
        """Downloads go back, with their bytes; an upload may not be repeatable."""
        with self._ledger.transaction():
            for task in self._engagements.tasks(session):
                row = self._tasks.get(task)
                if row and row["phase"] == Phase.RUNNING and row["source"] is None:
                    self._engagements.stop(row)
                    received = self._engagements.received(row)
                    self._tasks.wait(row, WaitingFor.TURN, TURN, None, received=received)
