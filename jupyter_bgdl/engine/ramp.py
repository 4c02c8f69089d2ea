"""How many connections a file is worth: more, as long as more bring more."""

from __future__ import annotations

_STEP = 4
_WINDOW = 0.1
"""Seconds over which a number is tried, if it brings more at once."""

_PATIENCE = 1.0
"""Seconds that a number gets to bring more: connections start slowly."""

_ANSWER = 3.0
"""Seconds that new connections get until bytes come."""

_CLEAR_GAIN = 1.5
"""A rate so many times higher counts as more at once."""

_GAIN = 1.15
"""So many times higher is enough once the patience is over: short windows vary."""

_WORTH = 2.0
"""Seconds that have to be left for more connections to be worth it."""


class Ramp:
    """Is shown the byte count now and then. Times are monotonic seconds.

    One connection is measured, then four, then sixteen, each as soon as all of them deliver. The
    number that brings no more is the last one tried; if it brought less, the one before is kept.
    A fast link is so left to one connection, where more would only be slower.
    """

    def __init__(self, most: int, now: float, received: int = 0, count: int = 1) -> None:
        """``count``: how many there are."""
        self.wanted = count
        self._most = most
        self._before = count
        self._best = 0.0
        self._asked = now
        self._mark: tuple[float, int] | None = None
        self._last = (now, received)
        """The look before: what came since then is what new connections brought at once."""
        self._is_settled = most <= count

    def settle(self, count: int) -> None:
        """No more than these can be had."""
        self.wanted = max(1, count)
        self._is_settled = True

    def look(self, now: float, received: int, left: int, working: int) -> int:
        """How many connections there should be, while ``working`` of them deliver."""
        last, self._last = self._last, (now, received)
        if self._is_settled:
            return self.wanted
        if working < self.wanted:
            self._mark = None
            if now - self._asked > _ANSWER:
                self.settle(working)
            return self.wanted
        if self._mark is None:
            self._mark = last
        elapsed = now - self._mark[0]
        if elapsed < _WINDOW:
            return self.wanted
        rate = (received - self._mark[1]) / elapsed
        if rate >= (_GAIN if elapsed >= _PATIENCE else _CLEAR_GAIN) * self._best:
            if rate > 0 and left >= _WORTH * rate:
                self._more(now, rate)
            elif elapsed >= _PATIENCE:
                self._mark = (now, received)  # it may become slower
        elif elapsed >= _PATIENCE:
            self.settle(self._before if rate < self._best else self.wanted)
        return self.wanted

    def _more(self, now: float, rate: float) -> None:
        self._best, self._before = rate, self.wanted
        self.wanted = min(self._most, _STEP * self.wanted)
        self._is_settled = self.wanted == self._before
        self._asked, self._mark = now, None
