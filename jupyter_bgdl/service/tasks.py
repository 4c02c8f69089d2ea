"""The transitions of a task: each changes its row and writes what has to be told, together.

The letters are those of the picture in ``schema.sql``. All methods are called inside a
transaction; what has to happen outside the ledger is left to the callers, after the commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from jupyter_bgdl.engine.protocol import Part
from jupyter_bgdl.errors import TaskNotFound
from jupyter_bgdl.model import EventKind, Phase, SessionOptions, TaskSpec, TaskView, WaitingFor
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.service import staging
from jupyter_bgdl.service.changes import (
    Change,
    SessionFinished,
    StateChanged,
    TaskEnded,
    TaskRemoved,
    TasksAdded,
)
from jupyter_bgdl.service.journal import Journal, Told
from jupyter_bgdl.service.ledger import Ledger, as_json
from jupyter_bgdl.service.session_log import SessionLog
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.submission import Wanted
from jupyter_bgdl.service.views import Row, Views, spec_of

TURN = "Waits its turn"
DATE = "Waits for its date"


class Tasks:
    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        journal: Journal,
        log: SessionLog,
        views: Views,
        emit: Callable[[Change], None],
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._journal = journal
        self._log = log
        self._views = views
        self._emit = emit

    def get(self, task: int) -> Row | None:
        return self._ledger.task(task)

    def by_number(self, session: Row, number: int) -> Row:
        """Raises :class:`TaskNotFound`."""
        row = self._ledger.one("task_by_number", session=session["id"], number=number)
        if row is None:
            raise TaskNotFound(f"The session {session['identifier']!r} has no task {number}.")
        return row

    def views(self, session: Row, numbers: Iterable[int]) -> list[TaskView]:
        """Of those that there are, in the order of their numbers."""
        rows = self._ledger.each("views_by_number", session=session["id"], numbers=as_json(numbers))
        return [self.view(row) for row in rows]

    def view(self, row: Row) -> TaskView:
        return self._views.task(row, self._sessions.name(row["session"])[1])

    def add(self, session: Row, wanted: Wanted, options: SessionOptions) -> Row:
        """A new task: suspended, or waiting for its turn."""
        number = self._numbered(session, [wanted])
        row = self._ledger.one(
            "add_task",
            session=session["id"],
            number=number,
            match=wanted.match,
            now=time.time(),
            **self._born(session, wanted, options, number, 1),
        )
        assert row
        self._alive_again(session, row)
        return row

    def add_all(
        self, session: Row, wanted: list[Wanted], options: SessionOptions
    ) -> tuple[int, int]:
        """New tasks: the first and the last of their numbers."""
        last = self._numbered(session, wanted)
        first, now, key = last - len(wanted) + 1, time.time(), session["id"]
        self._ledger.many(
            "add_tasks",
            (
                {
                    "session": key,
                    "number": number,
                    "match": one.match,
                    "now": now,
                    **self._born(session, one, options, number, 1),
                }
                for number, one in enumerate(wanted, first)
            ),
        )
        if session["undelivered"] and not all(one.spec.unattended for one in wanted):
            self._journal.retract_finish(key)
        user, identifier = self._sessions.name(key)

        def tell() -> None:
            self._emit(TasksAdded(user, identifier, first, last))
            self._emit(StateChanged(user, identifier))

        self._ledger.on_commit(tell)
        return first, last

    def _numbered(self, session: Row, born: list[Wanted]) -> int:
        """The last of the numbers of tasks that are about to be added."""
        waiting = sum(one.spec.resume for one in born)
        given = self._ledger.one(
            "give_numbers",
            session=session["id"],
            suspended=len(born) - waiting,
            waiting=waiting,
        )
        assert given
        number: int = given["last_task"]
        return number

    def reopen(
        self,
        session: Row,
        row: Row,
        wanted: Wanted,
        options: SessionOptions,
        held: bytes | None = None,
    ) -> Row:
        """I: a new generation of a completed task; ``held``: fetched only if it changed."""
        self._ledger.end_now(self._tell)  # of the generation before
        born = self._born(session, wanted, options, row["number"], row["generation"] + 1)
        new = self._ledger.one("reopen", id=row["id"], held=held, now=time.time(), **born)
        assert new
        self._alive_again(session, new)
        return new

    def _born(
        self, session: Row, wanted: Wanted, options: SessionOptions, number: int, generation: int
    ) -> dict[str, Any]:
        spec, timeout = wanted.spec, options.timeout_for_resource
        if spec.from_file is not None:
            folder = ""
        elif spec.destination is None:
            assert spec.staging is not None
            folder = staging.folder(spec.staging, session["identifier"], number, generation)
        else:
            folder = spec.destination.rpartition("/")[0] or "/"
        waiting_for, reason = first_wait(spec)
        return {
            # Values, not members: SQLite's module looks for an adapter of each other type.
            "phase": (Phase.WAITING if spec.resume else Phase.SUSPENDED).value,
            "waiting_for": waiting_for.value if spec.resume else None,
            "reason": reason if spec.resume else "",
            "deadline": self._ledger.clock() + timeout if spec.resume else None,
            "remaining": None if spec.resume else timeout,
            "spec": msgspec.json.encode(spec),
            "priority": spec.priority,
            "host": wanted.host,
            "name": wanted.name,
            "folder": folder,
            "claim": wanted.claim,
            "confined": int(wanted.confined),
        }

    def _alive_again(self, session: Row, row: Row) -> None:
        if session["undelivered"] and not row["unattended"]:
            self._journal.retract_finish(session["id"])
        self.changed(row)

    def change(self, row: Row, change: TaskChange) -> Row:
        """Other properties; whether it waits for something else now is left to the caller."""
        given = {
            name: value
            for name in change.__struct_fields__
            if (value := getattr(change, name)) is not msgspec.UNSET
        }
        spec = msgspec.structs.replace(spec_of(row), **given)
        return self.update(row, spec=msgspec.json.encode(spec), priority=spec.priority)

    def begin(self, tasks: Iterable[int]) -> list[Row]:
        """B or C, of those that are ready, in this order; the engine gets them after the commit."""
        order = list(tasks)
        rows = self._ledger.all("begin", tasks=as_json(order), now=time.time())
        for row in rows:
            self.changed(row)
        begun = {row["id"]: row for row in rows}
        return [begun[task] for task in order if task in begun]

    def resume(self, row: Row) -> Row:
        """A: it waits for its date or its turn, its remaining time goes on."""
        waiting_for, reason = first_wait(spec_of(row))
        return self.update(
            row,
            phase=Phase.WAITING,
            waiting_for=waiting_for,
            reason=reason,
            deadline=self._ledger.clock() + row["remaining"],
            remaining=None,
            since=time.time(),
        )

    def suspend(self, row: Row, received: int) -> Row:
        """E: it keeps its bytes and is exempt from timeouts."""
        return self.update(
            row,
            phase=Phase.SUSPENDED,
            waiting_for=None,
            due=None,
            reason="",
            deadline=None,
            remaining=max(0.0, row["deadline"] - self._ledger.clock()),
            since=time.time(),
            received=max(received, row["received"]),
        )

    def wait(
        self, row: Row, waiting_for: WaitingFor, reason: str, due: float | None, **more: Any
    ) -> Row:
        """H: something has to happen before it goes on; ``due`` on the ledger's clock."""
        if waiting_for != row["waiting_for"]:
            more["since"] = time.time()
        if waiting_for is not WaitingFor.TURN and reason != row["reason"]:
            self._log.decided(row["session"], row["name"], reason)
        return self.update(
            row, phase=Phase.WAITING, waiting_for=waiting_for, reason=reason, due=due, **more
        )

    def complete(
        self,
        row: Row,
        *,
        code: str | None = None,
        message: str = "",
        reason: str = "",
        **more: Any,
    ) -> Row:
        """D and G: the generation is over, and its events are in the journal."""
        row = self.update(
            row,
            phase=Phase.COMPLETED,
            waiting_for=None,
            due=None,
            deadline=None,
            remaining=None,
            reason=reason,
            error_code=code,
            error_message=None if code is None else (message or reason),
            completed_at=time.time(),
            **more,
        )
        if code not in (None, "cancelled"):
            self.note(row, message or reason)
        ended = TaskEnded(*self._sessions.name(row["session"]), row["number"])
        self._ledger.on_commit(partial(self._emit, ended))
        self._ledger.at_end(self._tell, row)
        return row

    def _tell(self, completed: list[Row]) -> None:
        """Their events, of each session together, and whether it has anything left to do."""
        told: dict[int, list[Told]] = {}
        for row in completed:
            events = told.setdefault(row["session"], [])
            if row["unattended"]:
                continue
            body = msgspec.json.encode(self.view(row))
            if row["error_code"] is None and row["source"] is None:
                events.append((EventKind.FINISHED_DOWNLOADING, row, body))
            events.append((EventKind.COMPLETED, row, body))
        for key, events in told.items():
            if events:
                self._journal.append_all(key, *self._sessions.name(key), events)
            session = self._sessions.by_id(key)
            is_idle = session["suspended"] + session["waiting"] + session["running"] == 0
            if events and (is_idle or not self._ledger.one("is_attended", session=key)):
                self._journal.retract_finish(key)
                self._journal.append(session, EventKind.SESSION_FINISHED)
            if is_idle:
                finished = SessionFinished(session["user"], session["identifier"])
                self._ledger.on_commit(partial(self._emit, finished))
            if is_idle and session["ending"]:
                self._journal.append(session, EventKind.SESSION_INVALID)

    def ask(self, row: Row, kind: EventKind) -> None:
        """The delegate is to say how the task goes on; see :mod:`~.asks`."""
        if row["unattended"]:
            return
        session = self._sessions.by_id(row["session"])
        self._journal.append(session, kind, row, self.view(row))
        self._sessions.changed(session)

    def note(self, row: Row, text: str) -> None:
        """Tell the session's log something about the task."""
        self._log.add(row["session"], f"{row['name']}: {text}", "server")

    def drop_part(self, row: Row) -> Row:
        """From zero: what was fetched is not used any more."""
        self._ledger.run("drop_part", id=row["id"])
        return self.update(row, attempt=row["attempt"])

    def remove(self, row: Row) -> None:
        user, identifier = self._sessions.name(row["session"])
        self._ledger.run("delete_task", id=row["id"])
        number = row["number"]
        self._ledger.on_commit(lambda: self._emit(TaskRemoved(user, identifier, number)))
        self._ledger.on_commit(lambda: self._emit(StateChanged(user, identifier)))

    def update(self, row: Row, **columns: Any) -> Row:
        """Change the row and tell that it changed."""
        new = self._ledger.set("tasks", row["id"], **columns)
        self.changed(new)
        return new

    def changed(self, row: Row) -> None:
        session, number = row["session"], row["number"]
        user, identifier = self._sessions.name(session)
        self._ledger.on_commit(
            lambda: self._emit(StateChanged(user, identifier, number)), (session, number)
        )
        self._ledger.on_commit(lambda: self._emit(StateChanged(user, identifier)), (session,))

    def moved(self, session: int, number: int) -> None:
        """Tell that a task and the sums of its session look different now."""
        user, identifier = self._sessions.name(session)
        self._emit(StateChanged(user, identifier, number))
        self._emit(StateChanged(user, identifier))


def first_wait(spec: TaskSpec) -> tuple[WaitingFor, str]:
    """What a task waits for when it is resumed, and the words for it."""
    date = spec.earliest_begin_date
    if date is not None and date > time.time():
        return WaitingFor.EARLIEST_BEGIN_DATE, DATE
    return WaitingFor.TURN, TURN


def part_of(row: Row) -> Part | None:
    if row["part_path"] is None:
        return None
    return Part(path=row["part_path"], device=row["part_device"], inode=row["part_inode"])


def staged_in(row: Row) -> str | None:
    """The folder of a staged task; None: it has a destination."""
    folder: str = row["folder"]
    return folder if spec_of(row).destination is None else None
