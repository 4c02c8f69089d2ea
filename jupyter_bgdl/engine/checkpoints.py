"""Makes what was written durable while more arrives, and says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import PartFile

INTERVAL = 0.4
"""Seconds from one checkpoint's start to the next one's: with the time that the sync itself
takes, a kill costs less than a second's bytes."""


class Checkpoints:
    """A thread that syncs a part as long as bytes move. It starts when the first checkpoint is
    due: a small file is over before that, and a thread would be a good part of what it costs."""

    def __init__(self, part: PartFile, report: Callable[[PartFile], None]) -> None:
        self._part = part
        self._report = report
        self._due = time.monotonic() + INTERVAL
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: Abort | None = None

    def check(self) -> None:
        """To be called whenever bytes have come. Raises Abort if a sync failed; nothing is
        synced after that."""
        if self._failure is not None:
            raise self._failure
        if self._thread is None and time.monotonic() >= self._due:
            self._start()

    def end(self) -> None:
        """End the thread; what was written since is not synced by it."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if self._part.sync():
                    self._report(self._part)
            except Abort as failure:
                self._failure = failure
                return
            self._ended.wait(INTERVAL)
