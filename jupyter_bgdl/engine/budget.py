"""How many connections may be open to a host, and who has to stand back for whom.

Two limits hold at once: a group's own (the unit says it), and one over all groups. A fetch needs
one connection; what it opens beyond that, to be faster, it may do only while nobody queues for a
first one to the same host.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TypeVar
from urllib.parse import urlsplit

_Key = TypeVar("_Key")


def host_of(url: str) -> str:
    """What of an address connections are counted by: host and port as they are written; "" if it
    has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


class Budget:
    """Counts connections by host. Any thread may call."""

    def __init__(self, per_host: int) -> None:
        self._lock = threading.Lock()
        self._per_host = per_host
        self._of_group: Counter[tuple[int, str]] = Counter()
        self._of_host: Counter[str] = Counter()
        self._queued: Counter[tuple[int, str]] = Counter()

    def configure(self, per_host: int) -> None:
        """Change the limit over all groups. What is open beyond it is not closed."""
        with self._lock:
            self._per_host = per_host

    def queue(self, group: int, host: str) -> None:
        """Say that a fetch waits for its first connection, until :meth:`leave`."""
        with self._lock:
            self._queued[group, host] += 1

    def leave(self, group: int, host: str) -> None:
        """The fetch that queued got its connection, or does not want one any more."""
        with self._lock:
            _lower(self._queued, (group, host))

    def admit(self, group: int, host: str, limit: int) -> bool:
        """Count a fetch's first connection, if ``limit`` of the group and the host's allow it."""
        with self._lock:
            if not self._has_room(group, host, limit):
                return False
            self._count(group, host)
            return True

    def take(self, group: int, host: str, limit: int) -> bool:
        """Count one more connection of a fetch that has one, if that is in nobody's way."""
        with self._lock:
            if self._is_wanted(group, host) or not self._has_room(group, host, limit):
                return False
            self._count(group, host)
            return True

    def give(self, group: int, host: str) -> None:
        """A connection that was counted is closed."""
        with self._lock:
            _lower(self._of_group, (group, host))
            _lower(self._of_host, host)

    def is_wanted(self, group: int, host: str) -> bool:
        """Whether somebody queues for what a fetch of this group has beyond its first one."""
        with self._lock:
            return self._is_wanted(group, host)

    def _is_wanted(self, group: int, host: str) -> bool:
        if self._queued[group, host]:
            return True
        is_full = self._of_host[host] >= self._per_host
        return is_full and any(name == host for _, name in self._queued)

    def _has_room(self, group: int, host: str, limit: int) -> bool:
        return self._of_group[group, host] < limit and self._of_host[host] < self._per_host

    def _count(self, group: int, host: str) -> None:
        self._of_group[group, host] += 1
        self._of_host[host] += 1


def _lower(counts: Counter[_Key], key: _Key) -> None:
    """Count one less; zeros are not kept, so that hosts of long ago take no room."""
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]
