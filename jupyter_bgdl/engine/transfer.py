"""One fetch: from the request to a part that is complete, durable and verified.

    reopen the part ─▶ ask ─▶ judge the head ─▶ copy the body ─▶ verify ─▶ Ready
                       ▲           │ start over     │ something is missing yet
                       └───────────┴────────────────┘

While the body is copied, a crew may fetch other segments of it (``crew.py``). Bytes of two
versions of a resource never meet in one part: what does not fit the validator of the first
response opens a new part.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from jupyter_bgdl.engine import judgement
from jupyter_bgdl.engine import response as heads
from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.body import Control, read_body
from jupyter_bgdl.engine.budget import Budget
from jupyter_bgdl.engine.crew import Crew, is_worth_a_crew
from jupyter_bgdl.engine.hand import Hand
from jupyter_bgdl.engine.integrity import told_digest
from jupyter_bgdl.engine.judgement import Unfit, Whole
from jupyter_bgdl.engine.lanes import Lanes
from jupyter_bgdl.engine.metrics import Collector
from jupyter_bgdl.engine.names import suggested_name
from jupyter_bgdl.engine.orphans import drop_orphans
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.plan import Plan, Segment
from jupyter_bgdl.engine.protocol import Failed, Fetch, Headers, Metrics, Ready, Report, Unchanged
from jupyter_bgdl.engine.room import is_short
from jupyter_bgdl.engine.sources import Sample, Sources, is_elsewhere
from jupyter_bgdl.engine.store import Store
from jupyter_bgdl.engine.throttle import Throttle

_log = logging.getLogger(__name__)

_QUICK = 1 << 20
"""Bytes that are on the disk before another transfer could take the connection over."""

_FRESH_STARTS = 3
"""How often one attempt starts from zero before it gives up."""


class Transfer:
    """Runs a :class:`Fetch` in the calling thread; other threads may :meth:`end` it."""

    def __init__(
        self,
        unit: Fetch,
        emit: Callable[[Report], None],
        throttle: Throttle | None = None,
        lanes: Lanes | None = None,
        budget: Budget | None = None,
    ) -> None:
        """``budget`` counts the connections beyond the first one, which the caller counts."""
        self.unit = unit
        self.held = -math.inf
        """When (monotonic) it was last kept waiting by the throttle."""
        self.may_write = False
        """Whether it may touch files. While it does not, an ended attempt may be given up: it
        looks whether it was ended before it sets to work."""
        self.on_network = True
        """Whether it waits for the network rather than for the disk."""
        self.left_network: Callable[[], None] = lambda: None
        """Called when it needs no connection any more."""
        self._emit = emit
        self._budget = budget or Budget(per_host=max(0, unit.connections - 1))
        self._control = Control(self._check, throttle or Throttle(), self._hold)
        self._collector = Collector()
        self._lanes = lanes
        self._store = Store(unit, emit)
        self._sources = Sources(unit)
        self._hand: Hand | None = None
        self._plan: Plan | None = None
        self._crew: Crew | None = None
        self._ended: Abort | None = None
        self._total = unit.total
        self._pin: str | None = None
        self._whole = Whole(unit.name or suggested_name(unit.url))
        """What the part holds, as far as it is told again when a fetch goes on."""
        self._fresh_starts = 0
        self._unchanged = False

    @property
    def received(self) -> int:
        return self._store.received

    def end(self, code: str, message: str = "") -> None:
        """Make :meth:`run` fail with ``code`` soon. No byte reaches the part after this."""
        self._abort(Abort(code, message))

    def run(self) -> Ready | Unchanged | Failed:
        """Do it, and say how it ended. When this returns, nothing writes any more."""
        try:
            return self._fetch()
        except Abort as abort:
            return self._failed(self._ended or abort)
        except Exception:  # noqa: BLE001 - the others must not notice (logged)
            _log.exception("a transfer met an error that nobody foresaw")
            return self._failed(Abort("internal"))
        finally:
            self._store.close()
            if transactions := list(self._collector):
                self._emit(Metrics(self.unit.attempt, transactions))

    def _abort(self, abort: Abort) -> None:
        if self._ended is None:
            self._ended = abort
        hand, crew = self._hand, self._crew
        if hand is not None:
            hand.cut()
        if crew is not None:
            crew.end()

    def _fetch(self) -> Ready | Unchanged:
        drop_orphans(self.unit)
        self._reopen()
        self._look_for_room(self._total if self._store.part is not None else None)
        while True:
            while not self._is_complete():
                self._ask()
                if self._unchanged:
                    return Unchanged(self.unit.attempt)
            self.on_network = False
            if not self._sources.are_mixed:
                if not self._is_over_soon():
                    self.left_network()
                return self._verified()
            try:
                return self._verified()
            except Abort as abort:
                if abort.code != "checksum_mismatch":
                    raise
            self._sources.go_alone()
            self.on_network = True
            self._start_over(Abort("checksum_mismatch"))

    def _is_over_soon(self) -> bool:
        """Whether it is verified and durable before another could take its connection over."""
        part = self._store.part
        assert part is not None
        return part.received <= _QUICK and part.syncs_at_once

    def _look_for_room(self, size: int | None) -> None:
        """Raises Abort ``disk_space`` before bytes are fetched for which there is no room; of a
        size that nobody knows, what was expected counts."""
        unit, part = self.unit, self._store.part
        path = part.path if part is not None else None
        known = size if size is not None else unit.size if unit.size is not None else unit.expected
        if known is not None and is_short(unit.folder, known, path):
            raise Abort("disk_space", f"{known} bytes are needed", needed=size)

    def _reopen(self) -> None:
        """Go on with the part of an earlier attempt, if it can be told to be that."""
        unit = self.unit
        is_whole = unit.total is not None and unit.extents == [(0, unit.total)]
        if unit.validator is not None or is_whole:
            self._pin = unit.validator
            self._sources.unpin(unit.validator)
            self._store.reopen()

    def _is_complete(self) -> bool:
        part = self._store.part
        return part is not None and self._total is not None and not part.holes(self._total)

    def _ask(self) -> None:
        """One request and its body, and what a crew fetches meanwhile."""
        hand = self._hand = Hand(self._sources.current, self._collector, self._lanes)
        failure: Abort | None = None
        try:
            self._check()
            self._lead(hand)
        except Abort as abort:
            failure = abort
        finally:
            had_crew = self._regroup(wait=failure is None or is_elsewhere(failure))
            hand.close()
        self._check()
        if failure is None or self._is_complete():
            return
        if not isinstance(failure, Unfit):
            self._sources.advance(failure)
        elif not had_crew:
            self._start_over(failure)

    def _lead(self, hand: Hand) -> None:
        conditions = self._conditions(hand)
        with hand.asker.get(conditions) as response:
            self._check()
            segment = self._accept(response, hand, conditions)
            plan = self._plan
            if segment is None or plan is None:
                return
            hand.segment = segment
            self._store.start_checkpoints()
            if self._crew is not None:
                self._crew.start()
            try:
                read_body(response, segment, self._control)
            finally:
                plan.give_back(segment)
        if self._total is None:
            self._total = self.received
        while self._crew is not None and (segment := plan.take()) is not None:
            try:
                hand.fetch(segment, plan, self._control)
            finally:
                plan.give_back(segment)

    def _regroup(self, *, wait: bool) -> bool:
        """The leader is through: the others go on if it is to ``wait``. Whether there were any."""
        crew, self._crew = self._crew, None
        try:
            if crew is not None:
                crew.finish(wait=wait and self._ended is None)
        finally:
            self._store.end_checkpoints()
        self.may_write = False
        return crew is not None

    def _conditions(self, hand: Hand) -> dict[str, str]:
        """What to ask for, besides the address."""
        part, source = self._store.part, hand.source
        if part is not None:
            sample = Sample.of(part)
            if sample is not None and source.validator is None and self._total is not None:
                hand.prove(sample, self._total)
            if sample is not None and source.validator is not None:
                start, end = self._next_hole()
                return judgement.range_request(start, end, self._total, source.validator)
            self._start_over(Abort("protocol"))
        if self.unit.known is not None and source.number == 0:
            return heads.unless_changed(self.unit.known)
        return {}

    def _next_hole(self) -> tuple[int, int | None]:
        part = self._store.part
        assert part is not None
        return (part.frontier, None) if self._total is None else part.holes(self._total)[0]

    def _accept(self, response: Answer, hand: Hand, conditions: dict[str, str]) -> Segment | None:
        """Judge the head. Returns where the body goes; None if it is of no use."""
        if "Range" in conditions and response.status_code in (206, 416):
            return self._continue(response, hand)
        if "If-None-Match" in conditions or "If-Modified-Since" in conditions:
            self._unchanged = response.status_code == 304
            if self._unchanged:
                return None
        return self._begin(response, hand, resuming="Range" in conditions)

    def _continue(self, response: Answer, hand: Hand) -> Segment | None:
        """Take a 206, if it is exactly what follows in the version that the part holds."""
        validator = hand.source.validator
        assert validator is not None
        start, _ = self._next_hole()
        if judgement.is_complete(response, start, self._total, validator):
            self._total = start
            return None
        found = judgement.continued(response, start, self._total, validator)
        self._total = found.total
        self._store.believe(told_digest(response.status_code, response.headers))
        return self._set_to_work(response, hand, start, found.end)

    def _begin(self, response: Answer, hand: Hand, *, resuming: bool) -> Segment:
        """Take a whole body into a new part."""
        whole = self._whole = judgement.whole(response, self.unit, resuming=resuming)
        if self._store.part is not None:
            self._start_over(Abort("protocol"))
        self._look_for_room(whole.length)
        self._total = whole.length
        hand.source.validator = whole.validator
        self._pin = self._sources.pin(hand.source)
        self.may_write = True
        self._check()
        self._store.create(with_digest=whole.is_file)
        if whole.is_file and self.unit.method != "HEAD":
            self._store.believe(told_digest(response.status_code, response.headers))
        return self._set_to_work(response, hand, 0, whole.length)

    def _start_over(self, why: Abort) -> None:
        """Leave the part alone; it goes when the next response is accepted into a new one."""
        self._fresh_starts += 1
        if self._fresh_starts > _FRESH_STARTS:
            raise Abort(why.code, why.message)
        self._store.set_aside()
        self._sources.forget()
        self._total = None

    def _set_to_work(self, response: Answer, hand: Hand, start: int, reach: int | None) -> Segment:
        self.may_write = True
        self._check()
        part = self._store.part
        assert part is not None
        self._emit(
            Headers(
                attempt=self.unit.attempt,
                url=str(response.url),
                status_code=response.status_code,
                headers=heads.metadata(response.headers),
                name=self._whole.name,
                part=part.part,
                received=part.received,
                total=self._total,
                validator=self._pin,
            )
        )
        self._plan = plan = Plan(part, self._total)
        hand.source.has_delivered = True
        segment = plan.begin(start, reach)
        if is_worth_a_crew(self.unit, plan, hand.source, response):
            self._crew = Crew(
                self.unit,
                plan,
                self._sources,
                self._budget,
                hand,
                self._collector,
                self._control,
                self._abort,
            )
            self._check()
        return segment

    def _check(self) -> None:
        """Raises Abort if the attempt was ended, or its bytes don't reach the disk."""
        if self._ended is not None:
            raise self._ended
        self._store.check()

    def _hold(self) -> None:
        """The throttle makes it wait: nobody is to take that for a stall."""
        self._check()
        self.held = time.monotonic()

    def _verified(self) -> Ready:
        unit, part = self.unit, self._store.part
        assert part is not None
        part.sync()
        size = part.received
        if self._whole.is_file and unit.size is not None and size != unit.size:
            raise self._mismatch("size_mismatch")
        digest = self._store.digest()
        if digest is not None and digest != (self._store.checksum or "").lower():
            raise self._mismatch("checksum_mismatch")
        part.check()
        self._check()
        return Ready(
            attempt=unit.attempt,
            part=part.part,
            size=size,
            digest=digest,
            name=self._whole.name,
            ended_by_close=self._whole.ended_by_close,
            notes=self._sources.notes,
        )

    def _mismatch(self, code: str) -> Abort:
        return Abort("unexpected_content" if self._whole.is_page else code)

    def _failed(self, abort: Abort) -> Failed:
        extents = self._store.last_extents()
        if abort.code in ("checksum_mismatch", "size_mismatch") or not self._whole.is_file:
            extents = [] if self._store.part is not None else None
        return Failed(
            attempt=self.unit.attempt,
            code=abort.code,
            message=abort.message,
            status_code=abort.status_code,
            retry_after=abort.retry_after,
            needed=abort.needed,
            extents=extents,
            notes=self._sources.notes,
        )
