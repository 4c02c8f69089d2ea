"""How fast files come, and so how many the engine should have in stock.

A task's way from its end to the next one's begin leads over a commit. For large files that is
nothing; for small ones it would be most of the time. So the engine gets as many tasks ahead as it
has ended lately: none of files that take seconds, and of small ones what it moves meanwhile.
"""

from __future__ import annotations

from collections import deque

_STOCK = 0.5
"""Seconds of work to have in stock."""
_MOST = 200
"""Tasks of one session and host in stock."""

Place = tuple[int, str]
"""Session and host."""


class Pace:
    """When transfers ended, by place. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._ended: dict[Place, deque[float]] = {}

    def ended(self, place: Place, now: float) -> None:
        self._ended.setdefault(place, deque(maxlen=_MOST)).append(now)

    def stock(self, now: float) -> dict[Place, int]:
        """How many tasks ahead of those that move each place may have."""
        for place, moments in list(self._ended.items()):
            while moments and moments[0] < now - _STOCK:
                moments.popleft()
            if not moments:
                del self._ended[place]
        return {place: len(moments) for place, moments in self._ended.items()}
