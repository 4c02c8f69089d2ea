"""Whose turn it is: the waiting tasks in memory, so that no choice scans the ledger.

Entries may be out of date; whoever takes one looks at the ledger before acting on it.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable

Limit = Callable[[int, str], int]
"""How many tasks of a session and host may be at work."""


class Turns:
    """Ready tasks by session and host, lowest number first."""

    def __init__(self) -> None:
        self._ready: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(dict)

    def add(self, session: int, host: str, number: int, task: int) -> None:
        heapq.heappush(self._ready[session].setdefault(host, []), (number, task))

    def take(self, active: Counter[tuple[int, str]], limit: Limit) -> tuple[int, str, int] | None:
        """The next ``(session, host, task)``: of the session that has the fewest at work, its
        lowest number whose host is not at its limit. None: nothing may go now."""
        at_work: Counter[int] = Counter()
        for (session, _), count in active.items():
            at_work[session] += count
        for session in sorted(self._ready, key=lambda session: (at_work[session], session)):
            hosts = self._ready[session]
            free = [host for host in hosts if active[session, host] < limit(session, host)]
            if not free:
                continue
            host = min(free, key=lambda host: hosts[host][0])
            _, task = heapq.heappop(hosts[host])
            if not hosts[host]:
                del hosts[host]
                if not hosts:
                    del self._ready[session]
            return session, host, task
        return None
