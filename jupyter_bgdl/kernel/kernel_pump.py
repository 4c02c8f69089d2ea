"""The pump of a notebook's kernel: between cells, a job is a message to the kernel itself.

Whoever posts a job sends a ``comm_msg`` to the kernel's own shell channel; the comm's handler runs
the queue. So the kernel says busy while a job runs, and the stop button interrupts it.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from comm import create_comm, get_comm_manager
from ipykernel.connect import get_connection_file
from jupyter_client.blocking.client import BlockingKernelClient

from jupyter_bgdl.kernel.cells import Cells
from jupyter_bgdl.kernel.jobs import JobQueue

_SLICE = 0.05
"""Seconds for which one message runs jobs, so that queued cells get their turn."""

_cell: contextvars.ContextVar[int] = contextvars.ContextVar("bgdl_cell", default=0)
"""Number of the cell that the context belongs to: tasks that a cell makes inherit it."""


class KernelPump(JobQueue):
    """Runs jobs between cells, and inside the cell that waits through it."""

    def __init__(self, kernel: Any) -> None:
        super().__init__()
        self._shell = kernel.shell
        self._loop: asyncio.AbstractEventLoop = kernel.io_loop.asyncio_loop
        self._cells = Cells(self._shell, self._loop)
        self._functions: list[Callable[[], None]] = []
        self._number = 0
        self._in_cell = self._cells.running()
        self._comm = create_comm(target_name="bgdl.pump", primary=False)
        self._comm.on_msg(self._on_message)
        get_comm_manager().register_comm(self._comm)
        self._client = BlockingKernelClient(connection_file=get_connection_file())
        self._client.load_connection_file()
        self._socket = self._client.connect_shell()
        self._sending = threading.Lock()
        self._poked = False
        self._shell.events.register("pre_execute", self._on_pre_execute)
        self._shell.events.register("post_execute", self._on_post_execute)

    def on_cell_end(self, function: Callable[[], None]) -> None:
        """Has ``function`` called on the main thread after each cell."""
        self._functions.append(function)

    def _posted(self) -> None:
        with self._sending:
            if self._poked:
                return
            # Before sending: the message may be handled before send() returns.
            self._poked = True
            try:
                content = {"comm_id": self._comm.comm_id, "data": {}}
                self._client.session.send(self._socket, "comm_msg", content)
            except BaseException:
                self._poked = False
                raise

    def _on_message(self, _message: dict[str, Any]) -> None:
        self._poked = False
        # A cell that awaits lets messages in (ipykernel ≥ 7.4): its end pokes again.
        if self._cells.running():
            return
        end = time.monotonic() + _SLICE
        ran = True
        try:
            while ran and time.monotonic() < end:
                ran = self._run_next(self._loop)
        except KeyboardInterrupt:
            pass  # It came just after the job it was meant for; the others are due all the same.
        if ran and self._jobs:
            self._posted()

    def _on_pre_execute(self) -> None:
        # Also fired by subshells on their threads and by widgets' messages outside any cell.
        if _on_main_thread() and self._cells.executing() == 1:
            self._in_cell = True
            self._number += 1
            _cell.set(self._number)

    def _on_post_execute(self) -> None:
        if not _on_main_thread() or not self._in_cell or self._cells.running():
            return
        self._in_cell = False
        for function in tuple(self._functions):
            try:
                function()
            except Exception as error:  # noqa: BLE001 - one observer must not silence the others
                self._show(error)
        if self._jobs:
            self._posted()

    def _may_run_awaited(self) -> bool:
        # A task that outlived its cell waits too, but the cell running now didn't ask for jobs.
        return (
            _on_main_thread()
            and asyncio.get_running_loop() is self._loop
            and self._in_cell
            and _cell.get() == self._number
        )

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        # In a cell with a top-level await, ipykernel's handler cancels the cell's task instead.
        before = signal.getsignal(signal.SIGINT) if _on_main_thread() else None
        if before is None or before is signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _show(self, error: BaseException) -> None:
        self._shell.showtraceback((type(error), error, error.__traceback__))


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
