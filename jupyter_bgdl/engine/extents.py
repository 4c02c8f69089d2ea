"""Sets of byte ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from jupyter_bgdl.engine.protocol import Extents


class RangeSet:
    """Which bytes of a file are there: ranges ``[start, end)``, kept disjoint and ascending.

    Ranges that touch are one. Not thread-safe.
    """

    def __init__(self, extents: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in extents:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add ``[start, end)``; what is there already may overlap it."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        after = bisect_right(self._starts, end)
        if first < after:
            start = min(start, self._starts[first])
            end = max(end, self._ends[after - 1])
        self._starts[first:after] = [start]
        self._ends[first:after] = [end]

    @property
    def extents(self) -> Extents:
        return list(zip(self._starts, self._ends, strict=True))

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(self._ends) - sum(self._starts)

    @property
    def prefix(self) -> int:
        """End of the range that begins at 0."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def end(self) -> int:
        """End of the last range."""
        return self._ends[-1] if self._ends else 0

    def holes(self, total: int) -> Extents:
        """What is missing of ``[0, total)``."""
        starts = [0, *self._ends]
        ends = [*self._starts, total]
        return [
            (start, min(end, total))
            for start, end in zip(starts, ends, strict=True)
            if start < min(end, total)
        ]
