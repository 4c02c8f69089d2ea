"""Warns of dates at which the Jupyter server may not run any more."""

from __future__ import annotations

import sys

from jupyter_bgdl.model import TaskView, WaitingFor


class Dates:
    """Of one session as it was attached; says it once, however many tasks wait."""

    def __init__(self, identifier: str, stops_when_idle: bool) -> None:
        self._identifier = identifier
        self._warns = stops_when_idle

    def look(self, view: TaskView) -> None:
        if not self._warns or view.waiting_for is not WaitingFor.EARLIEST_BEGIN_DATE:
            return
        self._warns = False
        print(
            f"{self._identifier}: {view.name} waits for its date, and this Jupyter server may be "
            "stopped for inactivity before. Then it begins when the server is started again. "
            'BackgroundTransfers.keep_alive = "pending" keeps the server running.',
            file=sys.stderr,
        )
