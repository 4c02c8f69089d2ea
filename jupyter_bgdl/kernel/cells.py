"""Tells whether a cell is running, by looking for its coroutine.

IPython's ``pre_execute`` and ``post_execute`` can't be counted: an empty cell fires only the
second, a widget's message fires both in the middle of an awaiting cell, and a widget's callback
that raises fires only the first. A cell always is a live ``InteractiveShell.run_cell_async``: on
the stack while its code runs, under a task while it awaits.
"""

from __future__ import annotations

import asyncio
import sys
from types import CodeType, FrameType
from typing import Any


class Cells:
    """Finds the cells of one shell that run on the calling thread."""

    def __init__(self, shell: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._code: CodeType = type(shell).run_cell_async.__code__
        self._loop = loop

    def executing(self) -> int:
        """Number of cells on the caller's stack: 2 inside a nested ``run_cell``."""
        count = 0
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            count += frame.f_code is self._code
            frame = frame.f_back
        return count

    def suspended(self) -> bool:
        """Whether a cell of the kernel's loop stands at an ``await``."""
        return any(self._runs(task.get_coro()) for task in asyncio.all_tasks(self._loop))

    def running(self) -> bool:
        """Whether any cell runs or awaits."""
        return self.executing() > 0 or self.suspended()

    def _runs(self, awaited: Any) -> bool:
        while awaited is not None:
            if getattr(awaited, "cr_code", None) is self._code:
                return True
            awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
        return False
