"""What a session's delegate is asked about a task, and what comes of its answer.

    running ──401, a signature expired──▶ waiting for credentials ──answer──▶ waiting for its turn
    waiting for a date ──it has come──▶ asked, at most DELAY ──answer, or nobody did──▶ its turn

An ask is an event of the journal: it survives kernel and server, is delivered again to the next
kernel, and counts as delivered once its method has returned, whatever it answered. The trigger
``asks_over`` takes it back when the task waits for that no more. :data:`PENDING` is the condition
for which a kernel is launched; the query ``launch_candidates`` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from jupyter_bgdl.asks import Answer, Ask, Challenge
from jupyter_bgdl.environment import names_in
from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.model import EventKind, Phase, SessionOptions, WaitingFor
from jupyter_bgdl.service.environment import Environment
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.submission import checked
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.views import Row, cell_of, spec_of

if TYPE_CHECKING:
    from jupyter_bgdl.service.scheduler import Scheduler

DELAY = 300.0
"""Seconds after its date in which a task waits to be told whether to begin; then it begins."""

PENDING = (EventKind.CHALLENGE, EventKind.DELAYED_REQUEST)
"""Events that want an answer: one of them that waits for an owner is worth a launch."""

ASKED = "Asks whether to begin"


class Asks:
    """All methods are called inside a transaction."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        tasks: Tasks,
        environment: Environment,
        scheduler: Scheduler,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._environment = environment
        self._scheduler = scheduler

    # Credentials

    def challenge(self, row: Row, status_code: int | None, reason: str) -> Row:
        """For a task that has just begun to wait for credentials."""
        before = challenge_of(row)
        failures = 0
        if before is not None and before.received == row["received"]:
            failures = before.previous_failure_count + 1
        challenge = Challenge(
            host=row["host"],
            status_code=status_code,
            previous_failure_count=failures,
            received=row["received"],
            reason=reason,
        )
        row = self._tasks.update(row, challenge=msgspec.json.encode(challenge))
        self._tasks.ask(row, EventKind.CHALLENGE)
        return row

    def lacks(self, row: Row, names: list[str]) -> Row:
        """Headers refer to variables that no kernel has given since the server started."""
        listed = ", ".join(names)
        row = self._tasks.wait(
            row,
            WaitingFor.CREDENTIALS,
            f"Needs {listed} of a kernel's environment"[:200],
            None,
            attempts=row["attempts"] - 1,  # It asked nobody for anything.
        )
        return self.challenge(row, None, f"no kernel has given {listed} of its environment")

    def given(self, session: Row, values: Mapping[str, str]) -> None:
        """A kernel gave variables of its environment: what waited for them goes on."""
        session = self._environment.want(session, set(values))
        new = self._environment.give(session["id"], values)
        if not new:
            return
        options = self._sessions.options(session)
        for row in self._ledger.all("wanting_credentials", session=session["id"]):
            if new & self._environment.named(row, options):
                self._scheduler.wake(row)

    # Dates

    def delays(self, row: Row) -> bool:
        """Its date has come: whether somebody is to be asked first."""
        if row["due"] is not None:
            return False
        session = self._sessions.by_id(row["session"])
        if "delayed_request" not in answered_by(session):
            return False
        options = self._sessions.options(session)
        launches = session["launches"] and options.sends_launch_events
        return bool(session["owner"] or (cell_of(session) and launches))

    def delay(self, row: Row) -> None:
        due = self._ledger.clock() + DELAY
        row = self._tasks.wait(row, WaitingFor.EARLIEST_BEGIN_DATE, ASKED, due)
        self._tasks.ask(row, EventKind.DELAYED_REQUEST)
        self._scheduler.after(row)

    # Answers

    def listens(self, session: Row, answers: list[Ask], *, anew: bool) -> None:
        """The owner's delegate answers these. ``anew``: it has just been registered, so it is asked
        again what nobody answered."""
        listed = msgspec.json.encode(sorted(answers)).decode()
        if listed != session["answers"]:
            self._ledger.set("sessions", session["id"], answers=listed)
        if anew and "challenge" in answers:
            for row in self._ledger.all("unasked", session=session["id"]):
                self._tasks.ask(row, EventKind.CHALLENGE)

    def answer(self, row: Row, answer: Answer, options: SessionOptions) -> None:
        """Raises :class:`InvalidRequest` for an address or headers that can't be."""
        waits = WaitingFor.CREDENTIALS
        if answer.to == "delayed_request":
            waits = WaitingFor.EARLIEST_BEGIN_DATE
        is_due = row["phase"] == Phase.WAITING and row["waiting_for"] == waits
        if not is_due or row["generation"] != answer.generation:
            return
        row = self._changed(row, answer, options)
        if answer.to == "delayed_request":
            if row["due"] is not None:
                self._scheduler.begin(row)
        elif answer.url is None and answer.headers is None:
            raise InvalidRequest("The answer to a challenge is another URL, or headers.")
        else:
            self._scheduler.wake(row)

    def _changed(self, row: Row, answer: Answer, options: SessionOptions) -> Row:
        spec = spec_of(row)
        request = spec.request
        if answer.headers is not None:
            given = {name.lower() for name in answer.headers}
            kept = {} if answer.replaces else request.headers
            headers = {k: v for k, v in kept.items() if k.lower() not in given}
            request = msgspec.structs.replace(request, headers={**headers, **answer.headers})
        if answer.url is not None:
            request = msgspec.structs.replace(request, url=answer.url)
        if request == spec.request:
            return row
        spec = msgspec.structs.replace(spec, request=request)
        host = checked(spec, options).host
        session = self._sessions.by_id(row["session"])
        self._environment.want(session, names_in(request.headers))
        return self._tasks.update(row, spec=msgspec.json.encode(spec), host=host)


def challenge_of(row: Row) -> Challenge | None:
    """The newest of a task's generation."""
    if row["challenge"] is None:
        return None
    return msgspec.json.decode(row["challenge"], type=Challenge)


def answered_by(session: Row) -> list[str]:
    """What the session's delegate has methods for, as the last kernel said."""
    return msgspec.json.decode(session["answers"], type=list[str])
