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
    """Ready tasks by session and host, highest priority first, then lowest number."""

    def __init__(self) -> None:
        self._ready: dict[int, dict[str, list[tuple[float, int, int]]]] = defaultdict(dict)
        self._moved: dict[int, float] = {}
        """Priorities that were changed: entries of these tasks with another one don't count."""

    def add(self, session: int, host: str, priority: float, number: int, task: int) -> None:
        if task in self._moved:
            self._moved[task] = priority
        heapq.heappush(self._ready[session].setdefault(host, []), (-priority, number, task))

    def move(self, task: int, priority: float) -> None:
        """Its priority is another one: its entry is out of date, if it has one."""
        self._moved[task] = priority

    def forget(self, session: int) -> None:
        """It is gone, with all its tasks."""
        self._ready.pop(session, None)

    def sessions(self) -> set[int]:
        """Those that have a ready task."""
        return {session for session, hosts in self._ready.items() if hosts}

    def top(self, sessions: set[int]) -> float:
        """The highest priority among the ready tasks of these sessions; -1: there are none."""
        heads = (heap[0] for session in sessions for heap in self._ready[session].values())
        return max((-rank for rank, _, _ in heads), default=-1.0)

    def take(self, active: Counter[tuple[int, str]], limit: Limit) -> tuple[int, str, int] | None:
        """The next ``(session, host, task)``: of the session that has the fewest at work, its
        first one whose host is not at its limit. None: nothing may go now."""
        while found := self._first(active, limit):
            session, host, priority, task = found
            if self._moved.get(task, priority) == priority:
                self._moved.pop(task, None)
                return session, host, task
        return None

    def _first(
        self, active: Counter[tuple[int, str]], limit: Limit
    ) -> tuple[int, str, float, int] | None:
        at_work: Counter[int] = Counter()
        for (session, _), count in active.items():
            at_work[session] += count
        for session in sorted(self._ready, key=lambda session: (at_work[session], session)):
            hosts = self._ready[session]
            free = [host for host in hosts if active[session, host] < limit(session, host)]
            if not free:
                continue
            host = min(free, key=lambda host: hosts[host][0])
            rank, _, task = heapq.heappop(hosts[host])
            if not hosts[host]:
                del hosts[host]
                if not hosts:
                    del self._ready[session]
            return session, host, -rank, task
        return None
