"""Which bytes are missing, and which connection fetches which of them.

    ├─────── at ▶┄┄┄┄┄┄┄┄┤├┄┄┄┄ missing ┄┄┄┄┤├──── at ▶┄┄┄┄┄┄┄┄┄┄┄┄┄┤
          a segment            nobody's           another one's

Who has nothing to do takes what is nobody's, else a share of the segment that would be done
last, so that all end together. A share is only lent until the server agreed to send it: the
stream that comes up to it before takes it back.
"""

from __future__ import annotations

import threading
import time

from jupyter_bgdl.engine.carrier import Carrier
from jupyter_bgdl.engine.part import PartFile

_SMALLEST = 1 << 20
"""Bytes below which a share is not worth a request."""

_WORTH = 0.2
"""Seconds that a segment has to take longer to be shared."""

_WINDOW = 0.5
"""Seconds over which a pace is measured."""


class Segment:
    """What one connection writes: ``[at, end)`` is to come. ``end`` is None if nobody knows it.

    Its writer changes ``at``; ``end`` may come nearer while it does.
    """

    def __init__(self, plan: Plan, start: int, end: int | None) -> None:
        self.at = start
        self.end = end
        self.reach: int | None = start
        """How far the response goes that is being read."""
        self.is_confirmed = False
        """The server agreed to send it."""
        self.pace: float | None = None
        """Bytes a second, lately."""
        self.moved = time.monotonic()
        """When bytes came last, as far as was looked."""
        self._plan = plan
        self._mark = (self.moved, start)

    def left(self) -> int | None:
        """Bytes to take from the response that is read; None: all that come."""
        if self.end is None or self.reach is None:
            return None
        rest = min(self.end, self.reach) - self.at
        return rest if rest > 0 else self._plan.follow(self)

    def write(self, data: memoryview | bytes) -> None:
        self._plan.part.write(data, self.at)
        self.at += len(data)

    def accept(self, carrier: Carrier, count: int) -> None:
        """Write the ``count`` bytes that the carrier has."""
        carrier.empty(self._plan.part, self.at)
        self.at += count

    def measure(self, now: float) -> None:
        """Look at the pace. To be called now and then."""
        then, before = self._mark
        at = self.at
        if now - then >= _WINDOW or (at > before and self.pace is None and now - then > 0.1):
            self.pace = (at - before) / (now - then)
            if at > before:
                self.moved = now
            self._mark = (now, at)

    @property
    def rest(self) -> int:
        """Bytes to come; 0 if nobody knows."""
        return max(0, self.end - self.at) if self.end is not None else 0

    def duration(self, pace: float) -> float:
        """Seconds it will take; at ``pace``, if its own is not known yet."""
        return self.rest / max(1.0, self.pace if self.pace is not None else pace)


class Plan:
    """Hands out what is missing of a part. Any thread may call."""

    def __init__(self, part: PartFile, total: int | None) -> None:
        self.part = part
        self.total = total
        self._idle = 0
        """How many threads wait in :meth:`take`."""
        self._missing = part.holes(total) if total is not None else []
        self._active: list[Segment] = []
        self._last_pace: float | None = None
        """Of the segment that ended last."""
        self._is_closed = False
        self._changed = threading.Condition()

    def begin(self, start: int, reach: int | None) -> Segment:
        """The segment of a response that is there already: all that is missing from ``start``
        to the next range that is not."""
        with self._changed:
            end = next((end for at, end in self._missing if at == start), None)
            self._missing = [hole for hole in self._missing if hole[0] != start]
            segment = Segment(self, start, start if self.total == start else end)
            segment.reach, segment.is_confirmed = reach, True
            self._active.append(segment)
            return segment

    def take(self) -> Segment | None:
        """The next segment to fetch. Waits for one; None when there will be none any more."""
        with self._changed:
            while not self._is_closed:
                segment = self._unclaimed() or self._shared()
                if segment is not None:
                    self._active.append(segment)
                    return segment
                if not self._active:
                    break
                self._idle += 1
                self._changed.wait(_WORTH / 2)
                self._idle -= 1
            self._changed.notify_all()
            return None

    def confirm(self, segment: Segment, reach: int) -> bool:
        """The server sends ``segment`` up to ``reach``. False if it is not to be written: it was
        taken back, or the plan is closed."""
        with self._changed:
            if self._is_closed or segment not in self._active:
                return False
            segment.reach, segment.is_confirmed = reach, True
            return True

    def follow(self, segment: Segment) -> int:
        """A stream is through with its segment. It goes on with what comes next, if the response
        reaches there and nobody fetches it. Returns how much that is."""
        with self._changed:
            end, reach = segment.end, segment.reach
            assert end is not None
            assert reach is not None
            if self._is_closed or segment.at < end:
                return max(0, min(end, reach) - segment.at)
            if reach > end:
                for other in self._active:
                    if other.at == end and not other.is_confirmed and other.end is not None:
                        self._active.remove(other)
                        self._missing.append((other.at, other.end))
                        break
                for hole in self._missing:
                    if hole[0] == end:
                        self._missing.remove(hole)
                        segment.end = hole[1]
                        break
                end = segment.end
                assert end is not None
            return min(end, reach) - segment.at

    def give_back(self, segment: Segment) -> None:
        """Nobody writes it any more; what is left of it is for others."""
        with self._changed:
            if segment in self._active:
                self._active.remove(segment)
                self._last_pace = segment.pace or self._last_pace
                if segment.end is not None and segment.at < segment.end:
                    self._missing.append((segment.at, segment.end))
            self._changed.notify_all()

    def close(self) -> None:
        """No segment is given out or confirmed after this."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def measure(self, now: float) -> None:
        """Look at all paces. To be called now and then."""
        with self._changed:
            for segment in self._active:
                segment.measure(now)

    @property
    def working(self) -> int:
        """How many segments have bytes coming."""
        with self._changed:
            return sum(segment.is_confirmed for segment in self._active)

    @property
    def left(self) -> int:
        """How many bytes are to come."""
        return self.total - self.part.received if self.total is not None else 0

    @property
    def is_done(self) -> bool:
        """Everything is there, or left to nobody."""
        with self._changed:
            return not self._missing and not self._active

    def keeps_waiting(self, segment: Segment, patience: float) -> bool:
        """Whether somebody has nothing to do while ``segment``, too small to be shared, takes
        longer than ``patience`` seconds."""
        with self._changed:
            return (
                self._idle > 0
                and segment in self._active
                and segment.rest < 2 * _SMALLEST
                and segment.duration(self._usual_pace()) > patience
            )

    def _unclaimed(self) -> Segment | None:
        """The first one, so that the range from 0 grows: a checksum follows it."""
        if not self._missing:
            return None
        hole = min(self._missing)
        self._missing.remove(hole)
        return Segment(self, *hole)

    def _shared(self) -> Segment | None:
        """A share of the segment that would take longest, by the paces on both sides."""
        usual = self._usual_pace()
        large = [s for s in self._active if s.rest >= 2 * _SMALLEST]
        slowest = max(large, key=lambda s: s.duration(usual), default=None)
        if slowest is None or slowest.duration(usual) < _WORTH:
            return None
        end = slowest.end
        assert end is not None
        at, rest = slowest.at, slowest.rest
        pace = usual if slowest.pace is None else slowest.pace
        kept = max(_SMALLEST, int(rest * pace / (pace + usual)))
        slowest.end = min(at + kept, end - _SMALLEST)
        return Segment(self, slowest.end, end)

    def _usual_pace(self) -> float:
        paces = [s.pace for s in self._active if s.pace is not None]
        if self._last_pace is not None:
            paces.append(self._last_pace)
        return max(1.0, sum(paces) / len(paces)) if paces else 1.0
