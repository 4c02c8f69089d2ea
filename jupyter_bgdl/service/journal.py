"""The journal: what a session's delegate has still to hear, in order.

    added ─▶ deliverable ──events()──▶ in flight ──acknowledge──▶ deleted
                  ▲                        │
                  │   a new owner, or asked for again: redelivered
                  └──unpark── parked ◀─────┘ its callback raised

An event is written in the transaction of the change that it tells of (outbox, fault E7). All
methods are called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from jupyter_bgdl.model import Event, EventKind, TaskView
from jupyter_bgdl.service.changes import Change, EventsAdded
from jupyter_bgdl.service.ledger import Ledger, as_json
from jupyter_bgdl.service.views import Row

MAX_TRACEBACK = 20_000
"""Characters kept of a parked event's traceback."""


Told = tuple[EventKind, Row | None, bytes | None]
"""An event to be: what it tells, of which task, and the JSON of its view."""


class Journal:
    def __init__(self, ledger: Ledger, emit: Callable[[Change], None]) -> None:
        self._ledger = ledger
        self._emit = emit

    def append(
        self, session: Row, kind: EventKind, task: Row | None = None, view: TaskView | None = None
    ) -> None:
        """Write an event; it can be handed out once the transaction is committed."""
        body = None if view is None else msgspec.json.encode(view)
        self.append_all(session["id"], session["user"], session["identifier"], [(kind, task, body)])

    def append_all(self, session: int, user: str, identifier: str, told: list[Told]) -> None:
        """Write events of one session, in this order."""
        given = self._ledger.one("give_sequences", session=session, count=len(told))
        assert given
        first = given["last_sequence"] - len(told) + 1
        self._ledger.many(
            "add_event",
            [
                {
                    "session": session,
                    "sequence": sequence,
                    "kind": kind,
                    "task": task and task["id"],
                    "generation": task and task["generation"],
                    "body": body,
                }
                for sequence, (kind, task, body) in enumerate(told, first)
            ],
        )
        self._tell(user, identifier)

    def retract_finish(self, session: int) -> None:
        """There is unfinished work again, and nobody was told yet that there was none."""
        self._ledger.run("retract_finish", session=session)

    def page(self, session: int, after: int, limit: int) -> list[Row]:
        """The next events that are neither acknowledged nor parked."""
        return self._ledger.all("deliverable", session=session, after=after, limit=limit)

    def mark_sent(self, page: list[Row]) -> None:
        """A whole page of one session."""
        first, last = page[0], page[-1]
        self._ledger.run(
            "mark_sent", session=first["session"], first=first["sequence"], last=last["sequence"]
        )

    def acknowledge(self, session: int, dealt: list[tuple[int, str | None]]) -> set[int]:
        """These events, if they are in flight, are dealt with; a text: the callback raised.
        Returns the tasks of those that are deleted. Idempotent (fault E6)."""
        for sequence, parked in dealt:
            if parked is not None:
                self._ledger.run(
                    "park", session=session, sequence=sequence, text=parked[-MAX_TRACEBACK:]
                )
        sequences = as_json(sequence for sequence, _ in dealt)
        rows = self._ledger.all("acknowledge", session=session, sequences=sequences)
        return {row["task"] for row in rows if row["task"] is not None}

    def unpark(self, session: Row) -> None:
        """Parked events can be handed out again: their handler was registered anew, or somebody
        asks for it."""
        if self._ledger.run("unpark", session=session["id"]).rowcount:
            self._tell(session["user"], session["identifier"], were_parked=True)

    def land(self, session: int) -> None:
        """Another owner: what was on its way to the old one is not any more."""
        self._ledger.run("land", session=session)

    def _tell(self, user: str, identifier: str, *, were_parked: bool = False) -> None:
        change = EventsAdded(user, identifier, were_parked)
        self._ledger.on_commit(lambda: self._emit(change), change)


def event(row: Row, identifier: str) -> Event:
    """A row of the journal as it is handed out."""
    view = None
    if row["body"] is not None:
        view = msgspec.json.decode(row["body"], type=TaskView)
    return Event(
        session=identifier,
        sequence=row["sequence"],
        kind=EventKind(row["kind"]),
        task=view,
        redelivered=row["deliveries"] > 0,
    )
