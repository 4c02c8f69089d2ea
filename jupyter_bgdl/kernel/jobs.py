"""The queue of jobs and the ways to wait while they run, shared by both pumps.

Order and overtaking: jobs run one at a time. A job that itself waits through the pump, or whose
``await`` can't go on because the user blocks the loop in :meth:`JobQueue.wait`, is overtaken by
those behind it; everything else would be a deadlock.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

Job = Callable[[], Awaitable[None] | None]

_TICK = 0.5
"""Seconds. A signal handler that cancels a task doesn't wake the loop; this does."""


class _Unfinished:
    """A job whose awaitable has not ended."""

    def __init__(self) -> None:
        self.waits = 0
        """How many waits through the pump it stands in."""
        self.task: asyncio.Task[None] | None = None
        """Kept here because a loop holds its tasks only weakly."""


_current: contextvars.ContextVar[_Unfinished | None] = contextvars.ContextVar(
    "bgdl_job", default=None
)


class JobQueue:
    """Holds jobs and runs them where somebody waits; subclasses add other moments."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._wakers: list[Callable[[], None]] = []
        self._unfinished: list[_Unfinished] = []

    @property
    def is_busy(self) -> bool:
        """Whether jobs are queued, or one of them still awaits."""
        return bool(self._jobs or self._unfinished)

    def post(self, job: Job) -> None:
        """Queues a job; from any thread, returns at once."""
        self._jobs.append(job)
        self._posted()
        self.notify()

    def notify(self) -> None:
        """Makes every waiter look at its condition again; from any thread."""
        for wake in tuple(self._wakers):
            wake()

    def wait(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Blocks until ``done()``, running jobs meanwhile if this is the main thread.

        A job's awaitable is run to its end on a fresh event loop in a short-lived thread with the
        current context variables, because the caller blocks the loop it would belong to.

        :param timeout: seconds, or None for no limit.
        :returns: False if the time ran out first.
        :raises KeyboardInterrupt: when interrupted.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._wait(done, timeout, lambda: False)
        with self._interruptible():
            return self._wait(done, timeout, self._run_next_blocking)

    async def until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """:meth:`wait` for coroutines: the loop goes on, awaitables of jobs are its tasks.

        :raises asyncio.CancelledError: when interrupted, within half a second.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        changed = asyncio.Event()

        def wake() -> None:
            # A loop that was closed under its waiter has nobody left to wake.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        with self._waiting(wake):
            while not done():
                changed.clear()
                if self._may_run_awaited() and self._run_next(loop):
                    await asyncio.sleep(0)
                    continue
                pause = _TICK if deadline is None else min(_TICK, deadline - loop.time())
                if pause <= 0:
                    return False
                tick = loop.call_later(pause, changed.set)
                try:
                    await changed.wait()
                finally:
                    tick.cancel()
            return True

    # What differs between a script and a kernel.

    def _posted(self) -> None:
        """A job was queued; may be called on any thread."""

    def _may_run_awaited(self) -> bool:
        """Whether the caller of :meth:`until` may run jobs on this thread now."""
        return threading.current_thread() is threading.main_thread()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """While it is open, SIGINT raises KeyboardInterrupt on the main thread."""
        yield

    def _show(self, error: BaseException) -> None:
        """Shows what a job should have caught itself."""
        traceback.print_exception(error, file=sys.stderr)

    # Running.

    def _run_next(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Runs one job if one is due; its awaitable becomes a task of ``loop``."""
        if not self._jobs or not all(job.waits for job in self._unfinished):
            return False
        job = self._jobs.popleft()
        try:
            with self._interruptible():
                awaitable = job()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the queue must go on
            self._show(error)
            return True
        finally:
            self.notify()  # others who wait look at what the job changed
        if inspect.isawaitable(awaitable):
            unfinished = self._started()
            context = contextvars.copy_context()
            context.run(_current.set, unfinished)
            unfinished.task = loop.create_task(self._finish(awaitable), context=context)
            unfinished.task.add_done_callback(lambda _: self._ended(unfinished))
        return True

    def _run_next_blocking(self) -> bool:
        if not self._jobs:
            return False
        job = self._jobs.popleft()
        try:
            awaitable = job()
        except Exception as error:  # noqa: BLE001 - the queue must go on
            self._show(error)
            return True
        finally:
            self.notify()
        if inspect.isawaitable(awaitable):
            self._finish_in_thread(awaitable)
        return True

    def _finish_in_thread(self, awaitable: Awaitable[None]) -> None:
        unfinished = self._started()
        context = contextvars.copy_context()
        context.run(_current.set, unfinished)
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._finish(awaitable), context=context)
        ended = threading.Event()

        def run() -> None:
            try:
                with suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
                loop.run_until_complete(loop.shutdown_asyncgens())
            finally:
                loop.close()
                ended.set()
                self.notify()

        def cancel() -> None:
            with suppress(RuntimeError):  # it ended and closed its loop meanwhile
                loop.call_soon_threadsafe(task.cancel)

        def run_overtaking() -> bool:
            return all(job.waits for job in self._unfinished) and self._run_next_blocking()

        thread = threading.Thread(target=run, name="bgdl-awaitable", daemon=True)
        try:
            thread.start()  # in here: it may be well on its way before this returns
            self._wait(ended.is_set, None, run_overtaking)
        except KeyboardInterrupt:
            cancel()
            raise
        finally:
            self._ended(unfinished)

    async def _finish(self, awaitable: Awaitable[None]) -> None:
        try:
            await awaitable
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the queue must go on
            self._show(error)

    def _started(self) -> _Unfinished:
        unfinished = _Unfinished()
        self._unfinished.append(unfinished)
        return unfinished

    def _ended(self, unfinished: _Unfinished) -> None:
        self._unfinished.remove(unfinished)
        if self._jobs:
            self._posted()
        self.notify()

    # Waiting.

    @contextmanager
    def _waiting(self, wake: Callable[[], None]) -> Iterator[None]:
        job = _current.get()
        self._wakers.append(wake)
        if job is not None:
            job.waits += 1
            if self._jobs:
                self._posted()
            self.notify()
        try:
            yield
        finally:
            self._wakers.remove(wake)
            if job is not None:
                job.waits -= 1

    def _wait(
        self, done: Callable[[], bool], timeout: float | None, run: Callable[[], bool]
    ) -> bool:
        # SimpleQueue waits in C, where a signal can neither be lost nor leave a lock behind.
        wakes: SimpleQueue[None] = SimpleQueue()

        def wake() -> None:
            if wakes.empty():
                wakes.put(None)

        deadline = None if timeout is None else time.monotonic() + timeout
        with self._waiting(wake):
            while not done():
                ran = run()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return done()
                if not ran:
                    with suppress(Empty):
                        wakes.get(timeout=left)
            return True
