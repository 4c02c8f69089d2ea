"""The pump of an IPython kernel: between cells, a callback is a message to the kernel.

    post(job) ─▶ comm message to our own shell channel ─▶ the kernel says busy ─▶ job ─▶ idle

So the front end sees a busy kernel while a callback runs, a culler does, too, and the stop
button interrupts it. Newer kernels (ipykernel 7) handle such messages also while a cell awaits;
then the jobs are left alone until the cell has ended, unless it waits through the pump.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import zmq
from jupyter_client.session import Session

from jupyter_bgdl.kernel.identity import running_kernel
from jupyter_bgdl.kernel.pump import Job, Pump

_TARGET = "jupyter_bgdl"

_SLICE = 0.05
"""Seconds for which one message runs jobs, so that queued cells get their turn."""


class KernelPump(Pump):
    """Runs jobs between the cells of this kernel."""

    def __init__(self) -> None:
        super().__init__()
        kernel = running_kernel()
        assert kernel is not None
        self._knock = _Knock(kernel)
        self._depth = _cells_on_the_stack()
        self._at_cell_end: list[Callable[[], None]] = []
        kernel.comm_manager.register_target(_TARGET, self._opened)
        kernel.shell.events.register("pre_execute", self._cell_begins)
        kernel.shell.events.register("post_execute", self._cell_ended)

    def post(self, job: Job) -> None:
        """As :meth:`Pump.post`; the kernel is told that there is work."""
        super().post(job)
        if not self._depth:
            self._knock()

    def on_cell_end(self, function: Callable[[], None]) -> None:
        """Call ``function`` once, when the running cell has ended."""
        self._at_cell_end.append(function)

    def _cell_begins(self) -> None:
        # A subshell's cells run on its own thread and are none of our business.
        if threading.get_ident() == self._main:
            self._depth += 1

    def _cell_ended(self) -> None:
        if threading.get_ident() != self._main:
            return
        self._depth = max(0, self._depth - 1)
        if self._depth:
            return
        due, self._at_cell_end = self._at_cell_end, []
        for function in due:
            function()
        if self._jobs:
            self._knock()

    def _opened(self, comm: Any, message: Any) -> None:
        comm.on_msg(lambda message: self._knocked())
        self._knocked()

    def _knocked(self) -> None:
        """On the main thread, in the handling of a message."""
        self._knock.answered()
        if self._depth or self._awaited is not None:
            return
        end = time.monotonic() + _SLICE
        while self._jobs and self._awaited is None and time.monotonic() < end:
            rest = self._run(self._jobs.popleft())
            if rest is not None:
                self._await_on(asyncio.get_running_loop(), rest)
        if self._jobs and self._awaited is None:
            self._knock()

    def _was_awaited(self, task: asyncio.Task[None]) -> None:
        super()._was_awaited(task)
        if self._jobs:
            self._knock()


class _Knock:
    """Sends a message to the kernel's own shell channel; one at a time, from any thread."""

    def __init__(self, kernel: Any) -> None:
        app = kernel.parent
        self._session = Session(
            key=kernel.session.key,
            signature_scheme=kernel.session.signature_scheme,
            username="jupyter_bgdl",
        )
        self._lock = threading.Lock()
        self._is_out = False
        self._comm_id = uuid.uuid4().hex
        self._is_open = False
        separator = "-" if app.transport == "ipc" else ":"
        self._socket: Any = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(f"{app.transport}://{app.ip}{separator}{app.shell_port}")

    def __call__(self) -> None:
        with self._lock:
            if self._is_out:
                return
            self._is_out = True
            content = {"comm_id": self._comm_id, "data": {}}
            if self._is_open:
                self._session.send(self._socket, "comm_msg", content)
            else:
                self._is_open = True
                self._session.send(self._socket, "comm_open", {**content, "target_name": _TARGET})

    def answered(self) -> None:
        with self._lock:
            self._is_out = False


def _cells_on_the_stack() -> int:
    """How many cells are being run right now: the one that made the pump saw no event."""
    count, frame = 0, sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        count += frame.f_code.co_name == "run_cell_async"
    return count
