"""Takes a session's events to its handlers: in order, one at a time, each acknowledged.

    event came ─▶ queued ─▶ job on the main thread ─▶ handler ─▶ receipt, acknowledged; or parked

An event that comes again (the connection was lost before its acknowledgement arrived) is
acknowledged again, not handled again. A parked one that comes again is meant to be handled.
"""

from __future__ import annotations

import enum
import heapq
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from jupyter_bgdl.kernel import launching
from jupyter_bgdl.kernel.handlers import Call
from jupyter_bgdl.kernel.output import Place
from jupyter_bgdl.kernel.pump import Job
from jupyter_bgdl.messages import Acknowledge, ClientMessage, Deliver, Watch
from jupyter_bgdl.model import Event, EventKind
from jupyter_bgdl.receipts import Receipts

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.session import Session

_log = logging.getLogger(__name__)


class Recall(enum.Enum):
    """What was parked is asked for again: how far that is."""

    WANTED = enum.auto()
    ASKED = enum.auto()
    OVER = enum.auto()


class Delivery:
    """Of one session, under one epoch. Begins when somebody is there to take events."""

    def __init__(self, session: Session, epoch: int, receipts: Receipts) -> None:
        self._session = session
        self.epoch = epoch
        self._receipts = receipts
        self.begun = False
        self._lock = threading.Lock()
        self._queue: list[tuple[int, Event]] = []
        self._queued: set[int] = set()
        self._handled: set[int] = set()
        self._parked: set[int] = set()
        self._completed: set[tuple[int, int]] = set()
        """Tasks and generations whose terminal event was dealt with."""
        self._over = False
        self._asked_for_parked = False
        self._recall = Recall.OVER

    def begin(self) -> None:
        """A handler was registered: ask for the backlog, and for what was parked."""
        self.begun = True
        if self._parked or self._session.view.parked:
            self._recall = Recall.WANTED
            # What was dealt with by being parked is open again.
            self._completed.clear()
        self._session.say(self._deliver(parked=True))
        if self.is_recalling:
            # The server deals with one message after the other: its answer counts what came back.
            self._session.say(Watch(self._session.identifier))
        self._asked_for_parked = self._session.is_connected

    @property
    def is_recalling(self) -> bool:
        """Whether events may come back that the newest view still counts as parked."""
        return self._recall is not Recall.OVER

    def watch_sent(self) -> None:
        """In the background thread: a snapshot was asked for."""
        if self._recall is Recall.WANTED:
            self._recall = Recall.ASKED

    def caught_up(self) -> None:
        """In the background thread: the snapshot that was asked for last was taken."""
        if self._recall is Recall.ASKED:
            self._recall = Recall.OVER

    def opening(self) -> list[ClientMessage]:
        """What to say on a new connection. What was parked is asked for by a registration only:
        there are no silent retries."""
        if not self.begun:
            return []
        parked = not self._asked_for_parked or self.is_recalling
        self._asked_for_parked = True
        messages: list[ClientMessage] = [self._deliver(parked=parked)]
        if self.is_recalling:
            messages.append(Watch(self._session.identifier))
        return messages

    def _deliver(self, *, parked: bool) -> Deliver:
        session = self._session
        return Deliver(session.identifier, self.epoch, parked, session.handlers.answers)

    def end(self) -> None:
        """The session is somebody else's now. What was not handled yet never will be here."""
        with self._lock:
            self._over = True
            self._queue.clear()
            self._receipts.close()

    def has_completed(self, task: int, generation: int) -> bool:
        return (task, generation) in self._completed

    def event_came(self, event: Event) -> None:
        """In the background thread."""
        sequence = event.sequence
        with self._lock:
            if self._over or sequence in self._queued:
                return
            if sequence in self._handled and sequence not in self._parked:
                self._acknowledge(sequence, None)
                return
            self._parked.discard(sequence)
            self._queued.add(sequence)
            heapq.heappush(self._queue, (sequence, event))
        self._session.pump.post(self._next)

    def _next(self) -> Awaitable[None] | None:
        """On the main thread: deal with the oldest event."""
        with self._lock:
            if self._over or not self._queue:
                return None
            event = heapq.heappop(self._queue)[1]
        launching.announce(self._session.identifier)
        task = self._session.task_of(event)
        calls = self._session.handlers.calls(event, task)
        if task is not None:
            task.redelivered = event.redelivered
        return self._run(event, calls)

    def _run(self, event: Event, calls: list[tuple[Place, Call]]) -> Awaitable[None] | None:
        """One after the other; the first that raises parks the event, the others are left out."""
        for number, (place, call) in enumerate(calls):
            try:
                rest = place.run(call, self._session.note)
            except BaseException as error:  # noqa: BLE001 - shown, logged and parked
                self._done(event, place.show_traceback(error, self._session.note))
                return None
            if rest is not None:
                return self._await(event, place, rest, calls[number + 1 :])
        self._done(event, None)
        return None

    async def _await(
        self,
        event: Event,
        place: Place,
        rest: Awaitable[None],
        following: list[tuple[Place, Call]],
    ) -> None:
        try:
            await rest
        except BaseException as error:  # noqa: BLE001 - shown, logged and parked
            self._done(event, place.show_traceback(error, self._session.note))
        else:
            more = self._run(event, following)
            if more is not None:
                await more

    def _done(self, event: Event, parked: str | None) -> None:
        with self._lock:
            self._queued.discard(event.sequence)
            self._handled.add(event.sequence)
            if parked is not None:
                self._parked.add(event.sequence)
            if event.kind == EventKind.COMPLETED and event.task is not None:
                self._completed.add((event.task.task_identifier, event.task.generation))
            if not self._over:
                if parked is None:
                    # Before the next callback begins, so that a kill repeats none that returned.
                    self._receipts.add(event.sequence)
                self._acknowledge(event.sequence, parked)
        if event.kind == EventKind.SESSION_INVALID:
            self._session.became_invalid()
        self._session.look_again()

    def _acknowledge(self, sequence: int, parked: str | None) -> None:
        self._session.say(
            Acknowledge(self._session.identifier, self.epoch, sequence, parked=parked)
        )


class Soon:
    """A job per key that is posted at most once at a time, however often it is asked for."""

    def __init__(self, post: Callable[[Job], None]) -> None:
        self._post = post
        self._waiting: set[int] = set()
        self._lock = threading.Lock()

    def post(self, key: int, job: Job) -> None:
        """From any thread."""
        with self._lock:
            if key in self._waiting:
                return
            self._waiting.add(key)

        def run() -> Awaitable[None] | None:
            with self._lock:
                self._waiting.discard(key)
            return job()

        self._post(run)
