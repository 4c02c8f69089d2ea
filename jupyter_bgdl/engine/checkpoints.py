"""Makes what was written durable while more arrives, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import PartFile

INTERVAL = 0.4
"""Seconds from one checkpoint's start to the next one's: with the time that the sync itself
takes, a kill costs less than a second's bytes."""


class Checkpoints:
    """A thread that syncs a part as long as bytes move."""

    def __init__(self, part: PartFile, report: Callable[[PartFile], None]) -> None:
        self._part = part
        self._report = report
        self._ended = threading.Event()
        self.failure: Abort | None = None
        """Why a sync failed; nothing is synced after that."""
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread; what was written since is not synced by it."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            try:
                if self._part.sync():
                    self._report(self._part)
            except Abort as failure:
                self.failure = failure
                return
