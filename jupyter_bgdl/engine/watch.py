"""Tells a transfer that crawls from one that moves."""

from __future__ import annotations

SLOWEST = 1000.0
"""Bytes a second; what stays below this for the whole time-out is stalled."""


class StallWatch:
    """Is shown the byte count now and then. Times are monotonic seconds."""

    def __init__(self, timeout: float, now: float) -> None:
        self._timeout = timeout
        self._since = now
        self._received = 0

    def restart(self, now: float, received: int) -> None:
        """It did not move because we held it back."""
        self._since, self._received = now, received

    def stalled(self, now: float, received: int) -> bool:
        """Whether fewer than ``SLOWEST × timeout`` bytes came in the last ``timeout`` seconds.

        The window starts anew with each such portion, so that a stop after a burst is noticed
        in time. A count that fell (a restart from zero) starts it anew as well.
        """
        if not 0 <= received - self._received < SLOWEST * self._timeout:
            self.restart(now, received)
        return now - self._since >= self._timeout
