"""Where transfers stand until there is a connection for them.

The scheduler hands out more small files than may move at once, so that the next one's turn does
not have to wait for a commit. Here they stand in line, one line for each group and host.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from jupyter_bgdl.engine.budget import Budget

_T = TypeVar("_T")

Place = tuple[int, str]
"""Group and host."""

SOON = 0.02
"""Seconds after which a transfer is one that waits for its server. Then more at once help; those
that don't wait go one after the other, since Python's threads would only take turns: one thread
moved 1,800 files of 100 KiB a second, three 480."""


class Line(Generic[_T]):
    """Lines of ``_T``, in order within each. Any thread may call."""

    def __init__(
        self, budget: Budget, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """At most ``most`` are out of it at the same time, whatever their places."""
        self._lock = threading.Lock()
        self._budget = budget
        self._most = most
        self._clock = clock
        self._out: dict[_T, tuple[Place, float]] = {}
        """Whence and when they were admitted, oldest first."""
        self._took: dict[Place, float] = {}
        """Seconds of the last one that was done; of places with a line."""
        self._waiting: dict[Place, deque[tuple[_T, int]]] = {}

    def configure(self, most: int) -> None:
        """Change how many may be out. Those beyond it are not called back."""
        with self._lock:
            self._most = most

    def join(self, one: _T, place: Place, limit: int) -> None:
        """Stand in line; the place's group may have ``limit`` connections to its host."""
        with self._lock:
            self._waiting.setdefault(place, deque()).append((one, limit))
            self._budget.queue(*place)

    def leave(self, one: _T, place: Place) -> bool:
        """Take it out of the line; False: it does not stand there any more."""
        with self._lock:
            line = self._waiting.get(place, ())
            for entry in line:
                if entry[0] == one:
                    self._remove(place, entry)
                    return True
            return False

    def admit(self) -> list[_T]:
        """Those whose turn it is now: the first of each line in turn, as connections allow.

        To be asked when one joined, when one is done, and now and then.
        """
        admitted: list[_T] = []
        with self._lock:
            moved = True
            while moved:
                moved = False
                for place in list(self._waiting):
                    entry = self._waiting[place][0]
                    if self._has_room(place) and self._budget.admit(*place, entry[1]):
                        self._remove(place, entry)
                        self._out[entry[0]] = (place, self._clock())
                        admitted.append(entry[0])
                        moved = True
        return admitted

    def done(self, one: _T, place: Place) -> None:
        """It was admitted, and does not use its connection any more."""
        with self._lock:
            _, since = self._out.pop(one)
            if place in self._waiting:
                self._took[place] = self._clock() - since
            self._budget.give(*place)

    @property
    def is_holding(self) -> bool:
        """Whether somebody may be let go as soon as others turn out to wait for their server."""
        with self._lock:
            return bool(self._waiting) and len(self._out) < self._most

    def _has_room(self, place: Place) -> bool:
        if len(self._out) >= self._most:
            return False
        if self._took.get(place, 0.0) > SOON:
            return True
        oldest = next((since for at, since in self._out.values() if at == place), -math.inf)
        return self._clock() - oldest > SOON

    def _remove(self, place: Place, entry: tuple[_T, int]) -> None:
        line = self._waiting[place]
        line.remove(entry)
        if not line:
            del self._waiting[place]
            self._took.pop(place, None)
        self._budget.leave(*place)
