"""Runs callbacks on the main thread: between cells, or while the user waits.

    any thread ── post(job) ──▶ queue ──▶ main thread: wait(), until(), or what the kernel allows

A job is a function without arguments. It deals with its own exceptions. One that returns an
awaitable is over when that is; later jobs wait for it.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from functools import cache

from jupyter_bgdl.kernel.identity import running_kernel

Job = Callable[[], Awaitable[None] | None]

_log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds after which a waiter looks anyway. On a loop it is also what makes an interrupt
prompt: the signal's handler runs at once, but the loop acts on it when it wakes up."""


class Pump:
    """For a plain script: jobs run while it waits. The thread that makes it is the main one."""

    def __init__(self) -> None:
        self._main = threading.get_ident()
        self._jobs: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        self._version = 0
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._awaited: asyncio.Task[None] | None = None

    def post(self, job: Job) -> None:
        """Have ``job`` run, after those that were posted before. From any thread."""
        self._jobs.append(job)
        self.notify()

    def notify(self) -> None:
        """Have those that wait look again. From any thread."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()
            for event, loop in self._waiting.items():
                loop.call_soon_threadsafe(event.set)

    def wait(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Run jobs until ``done()``; False after ``timeout`` seconds.

        An interrupt ends it at once. In a notebook the loop stands still meanwhile, so what an
        ``async def`` handler awaits runs on a loop of its own, in another thread.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            version = self._version
            if threading.get_ident() == self._main:
                self._run_all()
            if done():
                return True
            left = _TICK if deadline is None else min(_TICK, deadline - time.monotonic())
            if left <= 0:
                return False
            with self._changed:
                if self._version == version:
                    self._changed.wait(left)

    async def until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """As :meth:`wait`, for ``await``: handlers that await do so on the running loop."""
        deadline = None if timeout is None else time.monotonic() + timeout
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._changed:
            self._waiting[event] = loop
        try:
            while True:
                event.clear()
                if threading.get_ident() == self._main:
                    await self._await_all()
                if done():
                    return True
                left = _TICK if deadline is None else min(_TICK, deadline - time.monotonic())
                if left <= 0:
                    return False
                try:
                    await asyncio.wait_for(event.wait(), left)
                except TimeoutError:
                    continue
        finally:
            with self._changed:
                del self._waiting[event]

    def on_cell_end(self, function: Callable[[], None]) -> None:
        """Call ``function`` once, when the running cell has ended. A script has no cells."""

    def _run_all(self) -> None:
        while self._jobs:
            rest = self._run(self._jobs.popleft())
            if rest is not None:
                _run_elsewhere(rest)

    async def _await_all(self) -> None:
        while self._jobs or self._awaited is not None:
            if self._awaited is None:
                rest = self._run(self._jobs.popleft())
                if rest is None:
                    continue
                self._await_on(asyncio.get_running_loop(), rest)
            assert self._awaited is not None
            await asyncio.shield(self._awaited)

    def _run(self, job: Job) -> Awaitable[None] | None:
        try:
            return job()
        except Exception:  # noqa: BLE001 - later jobs must not notice (logged)
            _log.exception("A callback's job raised")
            return None

    def _await_on(self, loop: asyncio.AbstractEventLoop, rest: Awaitable[None]) -> None:
        self._awaited = loop.create_task(_finish(rest))
        self._awaited.add_done_callback(self._was_awaited)

    def _was_awaited(self, task: asyncio.Task[None]) -> None:
        self._awaited = None
        self.notify()


async def _finish(rest: Awaitable[None]) -> None:
    try:
        await rest
    except Exception:  # noqa: BLE001 - later jobs must not notice (logged)
        _log.exception("A callback's job raised")


def _run_elsewhere(rest: Awaitable[None]) -> None:
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(asyncio.run, _finish(rest)))
    thread.start()
    thread.join()


@cache
def get_pump() -> Pump:
    """The pump of this process; made on first use, on the main thread."""
    if running_kernel() is None:
        return Pump()
    from jupyter_bgdl.kernel.kernel_pump import KernelPump

    return KernelPump()
