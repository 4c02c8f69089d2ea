"""The end of a session, asked for by its owner: as ``finishTasksAndInvalidate`` and its kin.

    valid ──begin──▶ ending ──its last task is done──▶ its last event is in the journal
                       │  no task is made or opened again      │ dealt with
                       │  (what is there may be found)         ▼
                       └──────────────────────────────▶ the session is gone, its name is free

What is not dealt with yet survives a restart, and comes before the last event.
"""

from __future__ import annotations

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


class Endings:
    """All methods are called inside a transaction."""

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
        """No new tasks from now on; ``cancel`` those that are not done. Twice is once."""
        active = self._ledger.all("active_ids", session=session["id"])
        if not session["ending"]:
            self._ledger.set("sessions", session["id"], ending=1)
            if not active:
                self._journal.append(session, EventKind.SESSION_INVALID)
        for found in active if cancel else ():
            row = self._tasks.get(found["id"])
            assert row
            self._scheduler.cancel(row)
        self._sessions.changed(session)

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
