"""One connection's worth of a transfer: whom it asks, and how to cut it off."""

from __future__ import annotations

from jupyter_bgdl.engine.body import Control, read_body
from jupyter_bgdl.engine.client import Asker
from jupyter_bgdl.engine.judgement import continued, range_request
from jupyter_bgdl.engine.lanes import Lanes
from jupyter_bgdl.engine.lifeline import Lifeline
from jupyter_bgdl.engine.metrics import Collector
from jupyter_bgdl.engine.plan import Plan, Segment
from jupyter_bgdl.engine.sources import Sample, Source


class Hand:
    """Sends one request after the other to one source. One thread uses it; any may cut it."""

    def __init__(self, source: Source, collector: Collector, lanes: Lanes | None = None) -> None:
        self.source = source
        self.segment: Segment | None = None
        """What it fetches now."""
        self.has_delivered = False
        """The server agreed to send something."""
        self.was_cut = False
        self._collector = collector
        self._lanes = lanes
        self._lifeline = Lifeline()
        self._asker: Asker | None = None

    @property
    def asker(self) -> Asker:
        """Raises Abort for an address or a setting that is not valid."""
        if self._asker is None:
            self._asker = Asker(self.source.unit, self._lifeline, self._collector, self._lanes)
        return self._asker

    @property
    def is_writing(self) -> bool:
        segment = self.segment
        return segment is not None and segment.is_confirmed

    def prove(self, sample: Sample, total: int) -> None:
        """Find out whether the source has the same file. Raises Abort if it has not."""
        with self.source.lock:
            if self.source.validator is None:
                last = sample.start + len(sample.data) - 1
                request = {"Range": f"bytes={sample.start}-{last}"}
                with self.asker.get(request) as response:
                    self.source.judge(response, sample, total)

    def fetch(self, segment: Segment, plan: Plan, control: Control) -> None:
        """Write the segment, with as many requests as the server makes of it. Raises Abort.

        It ends early if somebody else has the segment meanwhile.
        """
        validator = self.source.validator
        assert validator is not None
        self.segment = segment
        while segment.end is not None and segment.at < segment.end:
            request = range_request(segment.at, segment.end, plan.total, validator)
            with self.asker.get(request) as response:
                control.check()
                found = continued(response, segment.at, plan.total, validator)
                if not plan.confirm(segment, found.end):
                    return
                self.has_delivered = self.source.has_delivered = True
                try:
                    read_body(response, segment, control)
                finally:
                    segment.is_confirmed = False

    def cut(self) -> None:
        """End what it does, now and later."""
        self.was_cut = True
        self._lifeline.cut()

    def close(self) -> None:
        if self._asker is not None:
            self._asker.close()
        self._lifeline.close()
