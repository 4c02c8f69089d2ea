"""Collects what the worker has to say and sends it together, from a thread of its own."""

from __future__ import annotations

import socket
import threading
import time

from jupyter_bgdl.engine import wire
from jupyter_bgdl.engine.protocol import Attempt, Failed, Progress, Ready, Report

_PACE = 0.01
"""Seconds between two messages: what is reported meanwhile goes together. A report that comes
alone goes at once."""


class Outbox:
    """Reports are kept in order. Of progress only the newest is kept, so a reader that is slow
    costs no memory."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._reports: list[Report] = []
        self._progress: dict[Attempt, Progress] = {}
        self._closing = threading.Event()
        self._sent = 0.0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def put(self, report: Report) -> None:
        with self._changed:
            self._reports.append(report)
            if isinstance(report, Ready | Failed):
                self._progress.pop(report.attempt, None)
            self._changed.notify()

    def progress(self, report: Progress) -> None:
        with self._changed:
            self._progress[report.attempt] = report
            self._changed.notify()

    def close(self, timeout: float) -> None:
        """Send what is left, within ``timeout`` seconds."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
            self._closing.wait(max(0.0, self._sent + _PACE - time.monotonic()))
            self._sent = time.monotonic()
            with self._changed:
                batch = [*self._reports, *self._progress.values()]
                self._reports.clear()
                self._progress.clear()
            if not batch:
                return
            try:
                wire.send_reports(self._connection, batch)
            except OSError:
                return  # nobody listens any more; the main thread has noticed, too

    def _has_work(self) -> bool:
        return bool(self._reports or self._progress or self._closing.is_set())
