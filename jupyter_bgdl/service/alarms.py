"""When a task has to be looked at again by itself, and the one timer for all of them.

    due        a pause is over: for a retry, for the network, for the disk   ledger's clock
    deadline   timeout_for_resource is over                                  ledger's clock
    begin      earliest_begin_date has come                                  wall clock

The ledger's clock never jumps (fault C1). A date is one of the wall clock, which does: so it is
compared with that clock again and again, and never turned into a span of time (fault C2).
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable

from msgspec import Struct

from jupyter_bgdl.model import Phase, WaitingFor
from jupyter_bgdl.service.views import Row, begins_at

WALL_CHECK = 30.0
"""Seconds between two looks at the wall clock while a date is waited for."""

_LONGEST = 3600.0
"""Seconds: a loop takes no delay of years."""


class Timers:
    """Moments on one clock, each of one task."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []

    def add(self, moment: float, task: int) -> None:
        heapq.heappush(self._heap, (moment, task))

    def over(self, now: float) -> list[int]:
        """Take out the tasks whose moment has come."""
        tasks = []
        while self._heap and self._heap[0][0] <= now:
            tasks.append(heapq.heappop(self._heap)[1])
        return tasks

    @property
    def next(self) -> float | None:
        return self._heap[0][0] if self._heap else None


class Rung(Struct, frozen=True):
    """Tasks whose moments have come. Entries may be out of date: look at the row."""

    due: list[int]
    late: list[int]
    begin: list[int]

    def __bool__(self) -> bool:
        return bool(self.due or self.late or self.begin)


class Alarms:
    """Lives in the service thread."""

    def __init__(
        self,
        clock: Callable[[], float],
        get: Callable[[int], Row | None],
        ring: Callable[[], None],
    ) -> None:
        """``clock`` is the ledger's, ``get`` finds a task's whole row, ``ring`` is called in the
        loop when the next moment has come (or a little before)."""
        self._clock = clock
        self._get = get
        self._ring = ring
        self._due = Timers()
        self._deadlines = Timers()
        self._begins = Timers()
        self._handle: asyncio.TimerHandle | None = None

    def watch(self, row: Row) -> None:
        """Remember the moments of a task that is not completed. The row may be one of few
        columns (``unfinished``)."""
        if row["deadline"] is not None:
            self._deadlines.add(row["deadline"], row["id"])
        if row["due"] is not None:
            self._due.add(row["due"], row["id"])
        if row["phase"] == Phase.WAITING and row["waiting_for"] == WaitingFor.EARLIEST_BEGIN_DATE:
            whole = self._get(row["id"])
            if whole:
                self._begins.add(begins_at(whole), row["id"])

    def over(self) -> Rung:
        """Take out what has come."""
        now = self._clock()
        return Rung(
            due=self._due.over(now),
            late=self._deadlines.over(now),
            begin=self._begins.over(time.time()),
        )

    def put_back(self, rung: Rung) -> None:
        """They could not be dealt with: they come again at once."""
        now = self._clock()
        for task in rung.due:
            self._due.add(now, task)
        for task in rung.late:
            self._deadlines.add(now, task)
        for task in rung.begin:
            self._begins.add(0.0, task)

    def set(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have ``ring`` called when the next moment comes."""
        delays = [
            m - self._clock() for m in (self._due.next, self._deadlines.next) if m is not None
        ]
        begin = self._begins.next
        if begin is not None:
            delays.append(min(begin - time.time(), WALL_CHECK))
        if delays:
            self.set_in(loop, max(0.0, min(*delays, _LONGEST)))
        else:
            self.cancel()

    def set_in(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        """Have ``ring`` called in so many seconds, whatever comes before."""
        self.cancel()
        self._handle = loop.call_later(delay, self._ring)

    def cancel(self) -> None:
        if self._handle:
            self._handle.cancel()
            self._handle = None
