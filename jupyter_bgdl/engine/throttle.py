"""Holds all transfers together below a rate.

Each portion that moves books the time that it takes at the rate, after the portions that were
booked before; whoever moved it waits until then. So many transfers share the rate in turn, and
none is paid for what it did not use: a pause allows no burst afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

TICK = 0.1
"""Seconds: ``tick`` is called at least this often while somebody waits."""

_SHARE = 0.1
"""Seconds that one portion may take, so that a low rate is no stop and go."""

_SMALLEST = 1024
"""Bytes of a portion at least."""


class Throttle:
    """A rate for all threads of the worker together. Any thread may call."""

    def __init__(self, rate: int | None = None) -> None:
        self._changed = threading.Condition()
        self._rate = rate
        self._changes = 0
        self._booked = 0.0

    @property
    def is_on(self) -> bool:
        """False: as fast as it goes, and nobody needs to call anything else."""
        return self._rate is not None

    def configure(self, rate: int | None) -> None:
        """Change the rate (bytes a second; None: no limit), also for those who wait now."""
        with self._changed:
            if rate == self._rate:
                return
            self._rate = rate
            self._booked = 0.0
            self._changes += 1
            self._changed.notify_all()

    def portion(self, wanted: int) -> int:
        """How many bytes, of those that are wanted, to move before the next :meth:`take`."""
        rate = self._rate
        if rate is None:
            return wanted
        return min(wanted, max(_SMALLEST, int(rate * _SHARE)))

    def take(self, count: int, tick: Callable[[], None]) -> None:
        """Wait until ``count`` bytes, which have moved, are within the rate.

        ``tick`` is called every now and then meanwhile; what it raises ends the waiting.
        """
        if self._rate is None:
            return
        with self._changed:
            if self._rate is None:
                return
            changes = self._changes
            now = time.monotonic()
            self._booked = moment = max(self._booked, now) + count / self._rate
            while changes == self._changes and (left := moment - time.monotonic()) > 0:
                self._changed.wait(min(left, TICK))
                tick()
