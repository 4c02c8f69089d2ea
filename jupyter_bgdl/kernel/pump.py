"""Runs callbacks on the main thread at moments when they disturb nobody.

The channel's thread posts jobs; a pump runs them between cells, or while the user waits.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Protocol

from jupyter_bgdl.kernel.jobs import Job
from jupyter_bgdl.kernel.script_pump import ScriptPump

__all__ = ["Job", "Pump", "get_pump"]


class Pump(Protocol):
    """Where jobs of the main thread are queued and waited for."""

    @property
    def is_busy(self) -> bool:
        """Whether jobs are queued, or one of them still awaits."""

    def post(self, job: Job) -> None:
        """Queues a job; from any thread, returns at once.

        Jobs run in order, one at a time, on the main thread: between cells, or inside a cell only
        while the user waits through this pump. What a job returns is awaited before the next one.
        A job handles its own exceptions, KeyboardInterrupt included; one that raises all the same
        is shown, and the next one runs.
        """

    def wait(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Runs jobs until ``done()``; False after ``timeout`` seconds.

        On another thread than the main one it only waits.

        :raises KeyboardInterrupt: at once when interrupted.
        """

    def notify(self) -> None:
        """Makes every waiter look at its condition again; from any thread."""

    async def until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """:meth:`wait` for ``await``; several may await at once."""

    def on_cell_end(self, function: Callable[[], None]) -> None:
        """Has ``function`` called on the main thread after each cell; in a script: never."""


_pump: Pump | None = None
_lock = threading.Lock()


def get_pump() -> Pump:
    """The process's pump, made on first use, which must be on the main thread."""
    global _pump
    with _lock:
        if _pump is None:
            _pump = _make()
        return _pump


def _make() -> Pump:
    # A script that never imported these is in no kernel, and needn't load them.
    if "ipykernel.kernelapp" in sys.modules:
        from ipykernel.kernelapp import IPKernelApp

        from jupyter_bgdl.kernel.kernel_pump import KernelPump

        if IPKernelApp.initialized() and IPKernelApp.instance().kernel is not None:
            return KernelPump(IPKernelApp.instance().kernel)
    return ScriptPump()
