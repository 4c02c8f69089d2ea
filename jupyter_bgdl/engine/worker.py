"""The process that moves the bytes: ``python -P -m jupyter_bgdl.engine.worker FD``.

``FD`` is its end of a socket pair. Commands come in, reports go out (``wire.py``). When the
other end is gone, or on SIGTERM, it checkpoints what runs and exits.

    main thread   reads commands
    one a unit    fetches or publishes
    pulse         watches for stalls, collects progress
    outbox        sends what was reported, together
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

from jupyter_bgdl.engine import platform, wire
from jupyter_bgdl.engine.budget import Budget, host_of
from jupyter_bgdl.engine.lanes import Lanes
from jupyter_bgdl.engine.line import Line
from jupyter_bgdl.engine.outbox import Outbox
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Failed,
    Limits,
    Progress,
    Publish,
    Published,
    Ready,
    Unchanged,
    Unit,
    Upload,
    Uploaded,
    Withdraw,
)
from jupyter_bgdl.engine.publish import publish
from jupyter_bgdl.engine.throttle import TICK, Throttle
from jupyter_bgdl.engine.transfer import Transfer
from jupyter_bgdl.engine.upload import UploadTransfer, withdraw
from jupyter_bgdl.engine.watch import StallWatch

_log = logging.getLogger("jupyter_bgdl.engine")

NICENESS = 5
"""At most this: beside two busy processes 19 got 22 MB/s, 5 got 610."""

_PULSE = 0.2
"""Seconds between looks; so progress is told at most five times a second."""

_PATIENCE = 1.0
"""Seconds after which an ended attempt that only tries to connect is given up. Resolving a name
can't be interrupted; it will not write, so its thread may end when it likes."""

_EXIT = 4.0
"""Seconds that everything gets to checkpoint when the worker ends."""


class Job:
    """A fetch or an upload, and what watches over it."""

    def __init__(self, transfer: Transfer | UploadTransfer) -> None:
        self.transfer = transfer
        self.place = (transfer.unit.group, host_of(transfer.unit.url))
        self.has_connection = False
        self.watch = StallWatch(transfer.unit.timeout, time.monotonic())
        self.reported = 0
        self.ended: tuple[float, str] | None = None
        """When and with which code it was told to end."""

    def end(self, code: str) -> None:
        if self.ended is None:
            self.ended = (time.monotonic(), code)
            self.transfer.end(code)


class Worker:
    """Runs units until its connection ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._outbox = Outbox(connection)
        self._lock = threading.Lock()
        self._jobs: dict[Attempt, Job] = {}
        self._publishing = 0
        self._idle = threading.Condition(self._lock)
        self._over = threading.Event()
        self._throttle = Throttle()
        self._lanes = Lanes()
        limits = Limits()
        self._budget = Budget(limits.connections_per_host)
        self._line: Line[Job] = Line(self._budget, limits.transfers)

    def run(self) -> None:
        """Serve until the other end is gone or asks to close; then checkpoint everything."""
        pulse = threading.Thread(target=self._pulse, name="pulse", daemon=True)
        pulse.start()
        for command in wire.commands(self._connection):
            if isinstance(command, wire.Close):
                break
            if isinstance(command, wire.Stop):
                for attempt in command.attempts:
                    self._stop(attempt)
            elif isinstance(command, wire.Configure):
                self._configure(command.limits)
            else:
                for unit in command.units:
                    self._start(unit)
                self._admit()
        self._finish()

    def _configure(self, limits: Limits) -> None:
        self._throttle.configure(limits.bandwidth)
        self._budget.configure(limits.connections_per_host)
        self._line.configure(limits.transfers)
        self._admit()

    def _start(self, unit: Unit) -> None:
        if isinstance(unit, Publish | Withdraw):
            with self._lock:
                self._publishing += 1
            threading.Thread(target=self._publish, args=(unit,), daemon=True).start()
            return
        transfer: Transfer | UploadTransfer
        if isinstance(unit, Upload):
            transfer = UploadTransfer(unit, self._outbox.put, self._throttle)
        else:
            transfer = Transfer(unit, self._outbox.put, self._throttle, self._lanes, self._budget)
        job = Job(transfer)
        with self._lock:
            if unit.attempt in self._jobs:
                return
            self._jobs[unit.attempt] = job
        self._line.join(job, job.place, unit.connections)

    def _admit(self) -> None:
        """Let those move whose turn it is."""
        for job in self._line.admit():
            job.has_connection = True
            job.watch.restart(time.monotonic(), job.transfer.received)
            threading.Thread(target=self._move, args=(job,), daemon=True).start()

    def _move(self, job: Job) -> None:
        if isinstance(job.transfer, Transfer):
            job.transfer.left_network = lambda: self._give_connection(job)
        report = job.transfer.run()
        self._give_connection(job)
        self._end(job, report)

    def _give_connection(self, job: Job) -> None:
        """The next one has it, while this one still syncs and verifies."""
        with self._lock:
            had, job.has_connection = job.has_connection, False
        if had:
            self._line.done(job, job.place)
            self._admit()

    def _end(self, job: Job, report: Ready | Unchanged | Uploaded | Failed) -> None:
        """Report a transfer's end, unless it was given up before."""
        with self._lock:
            attempt = report.attempt
            if self._jobs.get(attempt) is not job:
                return
            del self._jobs[attempt]
            self._outbox.put(report)
            self._idle.notify_all()

    def _publish(self, unit: Publish | Withdraw) -> None:
        report: Published | Failed
        try:
            report = publish(unit) if isinstance(unit, Publish) else withdraw(unit)
        except Abort as abort:
            report = Failed(attempt=unit.attempt, code=abort.code, message=abort.message)
        except Exception:  # noqa: BLE001 - the others must not notice (logged)
            _log.exception("publishing met an error that nobody foresaw")
            report = Failed(attempt=unit.attempt, code="internal")
        with self._lock:
            self._publishing -= 1
            self._outbox.put(report)
            self._idle.notify_all()

    def _stop(self, attempt: Attempt) -> None:
        """End a fetch. Publishing is short and not interrupted."""
        with self._lock:
            job = self._jobs.get(attempt)
        if job is not None:
            self._halt(job)

    def _halt(self, job: Job) -> None:
        if self._line.leave(job, job.place):
            self._end(job, Failed(attempt=job.transfer.unit.attempt, code="stopped"))
        else:
            job.end("stopped")

    def _pulse(self) -> None:
        while not self._over.wait(_PULSE):
            with self._lock:
                jobs = list(self._jobs.values())
            for job in jobs:
                self._look_at(job)
            self._admit()  # A segment may have stood back.
            self._lanes.sweep()
            self._admit()

    def _look_at(self, job: Job) -> None:
        now, transfer = time.monotonic(), job.transfer
        received = transfer.received
        if received != job.reported:
            job.reported = received
            self._outbox.progress(Progress(transfer.unit.attempt, received))
        if job.ended is None:
            if now - transfer.held < _PULSE + 2 * TICK:
                job.watch.restart(now, received)
            elif job.has_connection and transfer.on_network and job.watch.stalled(now, received):
                job.end("stalled")
        elif now - job.ended[0] > _PATIENCE and not transfer.may_write:
            self._give_connection(job)
            self._end(job, Failed(attempt=transfer.unit.attempt, code=job.ended[1]))

    def _finish(self) -> None:
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            self._halt(job)
        with self._lock:
            self._idle.wait_for(lambda: not self._jobs and not self._publishing, _EXIT)
        self._over.set()
        self._outbox.close(timeout=0.5)


def main() -> None:
    """Set the process up and serve. Ctrl-C in a terminal is meant for the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    platform.file_mode()
    platform.stand_back(NICENESS)
    connection = socket.socket(fileno=int(sys.argv[1]))

    def terminate(number: int, frame: FrameType | None) -> None:
        connection.shutdown(socket.SHUT_RD)  # as if the other end had asked to close

    signal.signal(signal.SIGTERM, terminate)
    wire.send_reports(connection, [])  # it serves
    Worker(connection).run()
    # Threads that resolve a name can't be waited for.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
