"""Publishes what it is handed: the parts of a folder together, as many as have come up."""

from __future__ import annotations

import logging
import os.path
import threading
from collections.abc import Callable
from concurrent.futures import Executor

from jupyter_bgdl.engine.protocol import Failed, Publish, Published
from jupyter_bgdl.engine.publish import publish

_log = logging.getLogger(__name__)

_MOST = 32
"""Parts that are published together; the first of them waits for the last one."""


class Publisher:
    """One thread for each folder to which there is something to publish: it syncs the folder once
    for all that came while it was busy, and a disk that hangs holds up nobody else's files."""

    def __init__(self, threads: Executor, report: Callable[[list[Published | Failed]], None]):
        self._threads = threads
        self._report = report
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Publish]] = {}
        """By folder; those of the folders that a thread is busy with."""

    def put(self, unit: Publish) -> None:
        """Publish it soon. What became of it is reported once, from another thread."""
        folder = os.path.dirname(unit.target)  # noqa: PTH120 - for each file
        with self._lock:
            waiting = self._waiting.get(folder)
            if waiting is not None:
                waiting.append(unit)
                return
            self._waiting[folder] = [unit]
        self._threads.submit(self._run, folder)

    def _run(self, folder: str) -> None:
        while units := self._take(folder):
            try:
                reports = publish(units)
            except Exception:  # noqa: BLE001 - the others must not notice (logged)
                _log.exception("publishing met an error that nobody foresaw")
                reports = [Failed(attempt=unit.attempt, code="internal") for unit in units]
            self._report(reports)

    def _take(self, folder: str) -> list[Publish]:
        with self._lock:
            waiting = self._waiting[folder]
            units, self._waiting[folder] = waiting[:_MOST], waiting[_MOST:]
            if not units:
                del self._waiting[folder]
            return units
