"""The end of a session, asked for by its owner: as ``finishTasksAndInvalidate`` and its kin.

    valid ──begin──▶ ending ──its last task is done──▶ its last event is in the journal
                       │  no task is made or opened again      │ dealt with
                       │  (what is there may be found)         ▼
                       └──────────────────────────────▶ the session is gone, its name is free

What is not dealt with yet survives a restart, and comes before the last event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_bgdl.errors import SessionInvalidated
from jupyter_bgdl.model import EventKind
from jupyter_bgdl.service import staging
from jupyter_bgdl.service.changes import Change, SessionRemoved
from jupyter_bgdl.service.journal import Journal
from jupyter_bgdl.service.ledger import Ledger, as_json
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.scheduler import Scheduler
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.views import Row

_AT_ONCE = 200
"""Tasks that are cancelled in one transaction: some 40 ms."""


class Endings:
    """All methods but :meth:`cancel_rest` and :meth:`recover` are called inside a transaction."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        tasks: Tasks,
        journal: Journal,
        scheduler: Scheduler,
        leftovers: Leftovers,
        emit: Callable[[Change], None],
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._journal = journal
        self._scheduler = scheduler
        self._leftovers = leftovers
        self._emit = emit

    def begin(self, session: Row, *, cancel: bool) -> None:
        """No new tasks from now on; ``cancel``: :meth:`cancel_rest` follows. Twice is once."""
        is_idle = session["suspended"] + session["waiting"] + session["running"] == 0
        self._ledger.set("sessions", session["id"], ending=2 if cancel else session["ending"] or 1)
        if is_idle and not session["ending"]:
            self._journal.append(session, EventKind.SESSION_INVALID)
        self._sessions.changed(session)

    async def cancel_rest(self, session: int) -> None:
        """Cancel what is not done, bit by bit: there may be 100,000, and others want something."""
        while self._cancel_some(session):
            self._scheduler.pump()
            await asyncio.sleep(0)

    def recover(self) -> None:
        """At the start: what the last server had not come to."""
        for row in self._ledger.all("cancelling_sessions"):
            while self._cancel_some(row["id"]):
                pass

    def _cancel_some(self, session: int) -> bool:
        found = self._ledger.all("to_cancel", session=session, limit=_AT_ONCE)
        with self._ledger.transaction():
            for one in found:
                row = self._tasks.get(one["id"])
                if row is not None:
                    self._scheduler.cancel(row)
        return bool(found)

    def dealt_with(self, session: Row) -> None:
        """Events were acknowledged: forget the session if its last one was among them."""
        key = session["id"]
        if not session["ending"] or self._ledger.one("is_ending", session=key):
            return
        for row in self._ledger.all("holding_files", session=key):
            self._leftovers.drop_part(row)
            if row["keep"] is not None:
                self._let_go(row)
        self._sessions.forget(session)
        self._ledger.on_commit(lambda: self._scheduler.forget(key))
        change = SessionRemoved(session["user"], session["identifier"])
        self._ledger.on_commit(lambda: self._emit(change))

    def _let_go(self, row: Row) -> None:
        """A staged file that nobody took, because its callback raised, stays where it is."""
        keep: str = row["keep"]
        is_taken = self._ledger.one("all_dealt_with", tasks=as_json([row["id"]]))
        drop = staging.clear if is_taken else staging.forget
        self._ledger.on_commit(lambda: self._leftovers.blocking(lambda: drop(keep)))


def check_takes_tasks(session: Row) -> None:
    """Raises :class:`SessionInvalidated` if the session makes no more tasks."""
    if session["ending"]:
        raise SessionInvalidated(
            f"The session {session['identifier']!r} was invalidated and takes no more tasks. Its "
            "name is free once session_did_become_invalid has been called: make it again then, or "
            "use another name."
        )
