"""How fast a transfer moves: the mean of the last five seconds."""

from __future__ import annotations

import time
from collections import deque

WINDOW = 5.0
"""Seconds."""


class Meter:
    """Fed with running totals; the rate is in bytes a second."""

    def __init__(self, received: int, now: float | None = None) -> None:
        self._points: deque[tuple[float, int]] = deque()
        self.add(received, now)

    def add(self, received: int, now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        if self._points and received < self._points[-1][1]:
            self._points.clear()  # It began again from zero.
        self._points.append((now, received))
        self._forget(now)

    def rate(self, now: float | None = None) -> float:
        now = time.monotonic() if now is None else now
        self._forget(now)
        if not self._points:
            return 0.0
        begun, first = self._points[0]
        span = now - begun
        return (self._points[-1][1] - first) / span if span > 0 else 0.0

    def _forget(self, now: float) -> None:
        # The newest point before the window stays: it is where the window's first bytes count from.
        while len(self._points) > 1 and self._points[1][0] <= now - WINDOW:
            self._points.popleft()
