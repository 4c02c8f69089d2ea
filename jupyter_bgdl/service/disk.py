"""Watches the disks that tasks wait for, so that they go on by themselves when there is room.

The free space is looked at, nobody is asked for anything. Where it does not show what is missing
(a quota, a limit of the file's size) the task's pause alone decides when it is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_bgdl.engine.room import is_short
from jupyter_bgdl.model import WaitingFor
from jupyter_bgdl.service.views import Row, spec_of

Place = tuple[str, int | None, str | None]
"""Folder, size of the whole file if it is known, path of the part."""


class DiskWatch:
    """Lives in the service thread."""

    def __init__(
        self,
        get: Callable[[int], Row | None],
        wake: Callable[[list[int]], None],
        blocking: Callable[[Callable[[], None]], None],
        soon: Callable[[Callable[[], None]], None],
        poll: float,
    ) -> None:
        """``wake`` is called with the tasks for which there is room again; ``blocking`` runs what
        blocks in another thread, ``soon`` brings back to this one; ``poll`` in seconds."""
        self._get = get
        self._wake = wake
        self._blocking = blocking
        self._soon = soon
        self._poll = poll
        self._waiting: set[int] = set()
        self._short: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looks = False
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def add(self, task: int) -> None:
        """This task waits for disk space."""
        self._waiting.add(task)
        if self._timer is None and not self._looks:
            self._set_timer(0.0)

    def is_short(self, task: int) -> bool:
        """Whether there was too little room for it when it was last looked at."""
        return task in self._short

    def close(self) -> None:
        self._is_closed = True
        if self._timer:
            self._timer.cancel()

    def _set_timer(self, delay: float) -> None:
        if self._loop:
            self._timer = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        places: dict[int, Place] = {}
        for task in self._waiting:
            row = self._get(task)
            if row and row["waiting_for"] == WaitingFor.DISK_SPACE:
                places[task] = _place(row)
        self._waiting = set(places)
        self._short &= self._waiting
        if not places:
            return
        self._looks = True

        def examine() -> None:
            short = {task for task, place in places.items() if is_short(*place)}
            self._soon(lambda: self._looked(set(places), short))

        self._blocking(examine)

    def _looked(self, looked_at: set[int], short: set[int]) -> None:
        self._looks = False
        if self._is_closed:
            return
        # One that never was short waits for something that does not show here.
        roomy = (looked_at - short) & self._short
        self._short = short
        self._waiting -= roomy
        if self._waiting:
            self._set_timer(self._poll)
        if roomy:
            self._wake(sorted(roomy))


def _place(row: Row) -> Place:
    spec = spec_of(row)
    size = row["total"]
    if size is None:
        size = spec.size if spec.size is not None else spec.count_of_bytes_client_expects_to_receive
    return row["folder"], size, row["part_path"]
