"""The connections that fetch one file together, and the thread that decides how many.

The transfer's own thread leads: its connection is there already and goes on as if it were alone.
Others come while that pays off. What fails in one of them is handed on to the rest in silence;
only when nobody is left has the attempt failed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.body import Control
from jupyter_bgdl.engine.budget import Budget
from jupyter_bgdl.engine.hand import Hand
from jupyter_bgdl.engine.judgement import Unfit
from jupyter_bgdl.engine.metrics import Collector
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.plan import Plan
from jupyter_bgdl.engine.protocol import Fetch
from jupyter_bgdl.engine.ramp import Ramp
from jupyter_bgdl.engine.sources import Sample, Source, Sources, is_elsewhere

_log = logging.getLogger(__name__)

_TICK = 0.025
_PAUSE = 1.0
"""Seconds until a connection that was lost is replaced."""

_BUSY = 5.0
"""Seconds until it is tried again to get more connections than the budget had."""

_STILL = 5.0
"""Seconds without a byte after which a segment is handed on, if the others move."""

_LATE = 2.0
"""Seconds that the others wait for one that is slow before its rest is handed on."""


_LARGE = 16 << 20
"""Bytes to come below which one connection is enough."""


def is_worth_a_crew(unit: Fetch, plan: Plan, source: Source, response: Answer) -> bool:
    """Whether more connections may fetch other ranges of what the response brings."""
    return (
        unit.method == "GET"
        and (unit.connections > 1 or bool(unit.mirrors))
        and plan.left >= _LARGE
        and source.validator is not None
        and response.headers.get("accept-ranges", "bytes") != "none"
    )


class Crew:
    """Fetches what is missing in a plan, beside the thread that called :meth:`start`."""

    def __init__(
        self,
        unit: Fetch,
        plan: Plan,
        sources: Sources,
        budget: Budget,
        leader: Hand,
        collector: Collector,
        control: Control,
        fail: Callable[[Abort], None],
    ) -> None:
        """``fail`` ends the attempt."""
        self._unit = unit
        self._plan = plan
        self._sources = sources
        self._budget = budget
        self._collector = collector
        self._control = control
        self._fail = fail
        self._leader = leader
        self._hands = [leader]
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._most = unit.connections * len({source.host for source in sources.usable})
        self._ramp = Ramp(self._most, time.monotonic(), plan.part.received)
        self._not_before = 0.0
        """When a connection may be replaced."""
        self._again_at: float | None = None
        """When to look whether the budget has more by now."""
        self._conductor = threading.Thread(target=self._conduct, name="conductor", daemon=True)

    def start(self) -> None:
        self._conductor.start()

    def finish(self, *, wait: bool) -> None:
        """The leader has nothing to do any more, or failed. If ``wait``, the others go on until
        all is there or none of them is left. Nobody writes when this returns."""
        with self._changed:
            self._hands.remove(self._leader)
            while wait and self._hands and not (self._plan.is_done or self._over.is_set()):
                self._changed.wait(_TICK)
        self.end()
        self._conductor.join()
        with self._changed:
            while any(hand.is_writing for hand in self._hands):
                self._changed.wait(_TICK)

    def end(self) -> None:
        """Nobody is to write any more, soon. Who only tries to connect may do so for longer: it
        will find the plan closed. Any thread may call."""
        self._over.set()
        self._plan.close()
        with self._changed:
            for hand in self._hands:
                hand.cut()

    def _conduct(self) -> None:
        while not self._over.wait(_TICK):
            now = time.monotonic()
            self._plan.measure(now)
            self._hand_on(now)
            if self._again_at is not None and now >= self._again_at:
                self._again_at = None
                self._ramp = Ramp(self._most, now, self._plan.part.received, self._count())
            part = self._plan.part
            wanted = self._ramp.look(now, part.received, self._plan.left, self._plan.working)
            count = self._count()
            if any(self._is_in_the_way(hand) for hand in self._extra()):
                wanted = count - 1
                self._wait_for_room(now, wanted)
            if wanted < count:
                for hand in self._extra()[wanted - count :]:
                    hand.cut()
            elif now >= self._not_before:
                self._hire(now, wanted)

    def _hire(self, now: float, wanted: int) -> None:
        """Open connections until there are as many as ``wanted``, or as can be had."""
        while self._count() < wanted and not self._over.is_set():
            source = self._free_source()
            if source is None:
                self._wait_for_room(now, self._count())
                return
            sample = None
            if source.validator is None:
                sample = Sample.of(self._plan.part)
            hand = Hand(source, self._collector)
            with self._changed:
                self._hands.append(hand)
            threading.Thread(target=self._work, args=(hand, sample), daemon=True).start()

    def _free_source(self) -> Source | None:
        """The one with the fewest connections of those that may have one more; it is counted."""
        extra = [hand.source for hand in self._extra()]
        for source in sorted(self._sources.usable, key=extra.count):
            if self._budget.take(self._unit.group, source.host, self._unit.connections):
                return source
        return None

    def _wait_for_room(self, now: float, count: int) -> None:
        self._ramp.settle(count)
        self._again_at = now + _BUSY

    def _is_in_the_way(self, hand: Hand) -> bool:
        return self._budget.is_wanted(self._unit.group, hand.source.host)

    def _hand_on(self, now: float) -> None:
        """Cut off what holds the others up; they take what is left of its segment."""
        with self._changed:
            busy = [(hand, s) for hand in self._hands if (s := hand.segment) and not hand.was_cut]
        is_moving = any(now - segment.moved < _STILL / 2 for _, segment in busy)
        for hand, segment in busy:
            is_still = is_moving and now - segment.moved > _STILL
            if is_still or self._plan.keeps_waiting(segment, _LATE):
                hand.cut()

    def _count(self) -> int:
        with self._changed:
            return sum(not hand.was_cut for hand in self._hands)

    def _extra(self) -> list[Hand]:
        with self._changed:
            return [hand for hand in self._hands if hand is not self._leader and not hand.was_cut]

    def _work(self, hand: Hand, sample: Sample | None) -> None:
        """One connection's thread."""
        plan = self._plan
        try:
            if sample is not None and plan.total is not None:
                hand.prove(sample, plan.total)
            while not hand.was_cut and (segment := plan.take()) is not None:
                try:
                    hand.fetch(segment, plan, self._control)
                finally:
                    plan.give_back(segment)
        except Abort as abort:
            self._lost(hand, abort)
        except Exception:  # noqa: BLE001 - a thread of its own (logged)
            _log.exception("a connection met an error that nobody foresaw")
            self._fail(Abort("internal"))
        finally:
            hand.close()
            self._budget.give(self._unit.group, hand.source.host)
            with self._changed:
                self._hands.remove(hand)
                self._changed.notify_all()

    def _lost(self, hand: Hand, abort: Abort) -> None:
        if hand.was_cut or self._over.is_set():
            return
        if not is_elsewhere(abort):
            self._fail(abort)  # The disk: it is the same for all.
        elif hand.source.number and (isinstance(abort, Unfit) or not hand.has_delivered):
            self._sources.drop(hand.source, abort)
        elif hand.has_delivered and not isinstance(abort, Unfit):
            self._not_before = time.monotonic() + _PAUSE
        else:
            self._ramp.settle(self._count() - 1)  # The server wants no more of them.
