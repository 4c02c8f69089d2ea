"""The process that moves the bytes: ``python -P -m jupyter_bgdl.engine.worker FD``.

``FD`` is its end of a socket pair. Commands come in, reports go out (``wire.py``). When the
other end is gone, or on SIGTERM, it checkpoints what runs and exits.

    main thread   reads commands
    one a unit    fetches or publishes
    pulse         watches for stalls, collects progress
    outbox        sends what was reported, together
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from jupyter_bgdl.engine import network_policy, platform, wire
from jupyter_bgdl.engine.budget import Budget, host_of
from jupyter_bgdl.engine.lanes import Lanes
from jupyter_bgdl.engine.line import SOON, Line, Place
from jupyter_bgdl.engine.outbox import Outbox
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Failed,
    Fetch,
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
from jupyter_bgdl.engine.publisher import Publisher
from jupyter_bgdl.engine.throttle import TICK, Throttle
from jupyter_bgdl.engine.transfer import Transfer
from jupyter_bgdl.engine.upload import UploadTransfer, withdraw
from jupyter_bgdl.engine.watch import StallWatch

_log = logging.getLogger("jupyter_bgdl.engine")

NICENESS = 5
"""At most this: beside two busy processes 19 got 22 MB/s, 5 got 610."""

_PULSE = 0.1
"""Seconds between looks. Those who watch are told at most five times a second, and of bytes that
are at most so old."""

_PATIENCE = 1.0
"""Seconds after which an ended attempt that only tries to connect is given up. Resolving a name
can't be interrupted; it will not write, so its thread may end when it likes."""

_THREADS = 1024
"""More than ever have something to do at once: they are made as they are needed."""

_EXIT = 4.0
"""Seconds that everything gets to checkpoint when the worker ends."""


class Job:
    """A fetch or an upload, and what watches over it."""

    def __init__(self, transfer: Transfer | UploadTransfer, place: Place) -> None:
        self.transfer = transfer
        self.place = place
        self.has_connection = True
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
        self._waiting: dict[Attempt, tuple[Fetch | Upload, Place]] = {}
        self._jobs: dict[Attempt, Job] = {}
        self._publishing = 0
        self._idle = threading.Condition(self._lock)
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(_THREADS)
        self._publisher = Publisher(self._threads, self._published)
        self._throttle = Throttle()
        self._lanes = Lanes()
        limits = Limits()
        self._budget = Budget(limits.connections_per_host)
        self._line: Line[Attempt] = Line(self._budget, limits.transfers)

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
        network_policy.impose(limits.policy)
        self._throttle.configure(limits.bandwidth)
        self._budget.configure(limits.connections_per_host)
        self._line.configure(limits.transfers)
        self._admit()

    def _start(self, unit: Unit) -> None:
        if isinstance(unit, Publish | Withdraw):
            with self._lock:
                self._publishing += 1
            if isinstance(unit, Publish):
                self._publisher.put(unit)
            else:
                self._threads.submit(self._withdraw, unit)
            return
        with self._lock:
            if unit.attempt not in self._waiting and unit.attempt not in self._jobs:
                place = (unit.group, host_of(unit.url))
                self._waiting[unit.attempt] = (unit, place)
                self._line.join(unit.attempt, place, unit.connections)

    def _admit(self) -> None:
        """Let those move whose turn it is."""
        for job in self._admitted():
            self._threads.submit(self._move, job)

    def _admitted(self) -> list[Job]:
        with self._lock:
            attempts = self._line.admit()
            for attempt in attempts:
                unit, place = self._waiting.pop(attempt)
                self._jobs[attempt] = Job(self._transfer(unit), place)
            return [self._jobs[attempt] for attempt in attempts]

    def _transfer(self, unit: Fetch | Upload) -> Transfer | UploadTransfer:
        put = self._outbox.put
        if isinstance(unit, Upload):
            return UploadTransfer(unit, put, self._throttle)
        return Transfer(unit, put, self._throttle, self._lanes, self._budget)

    def _move(self, first: Job) -> None:
        """Run it, and then those whose turn comes by that: one thread for many small files."""
        following = [first]
        while following:
            job, *others = following
            for other in others:
                self._threads.submit(self._move, other)
            if isinstance(job.transfer, Transfer):
                job.transfer.left_network = functools.partial(self._pass_connection_on, job)
            report = job.transfer.run()
            had_connection = self._give_connection(job)
            self._end(job, report)
            following = self._admitted() if had_connection else []

    def _pass_connection_on(self, job: Job) -> None:
        """The next one has it, while this one still syncs and verifies."""
        if self._give_connection(job):
            self._admit()

    def _give_connection(self, job: Job) -> bool:
        """It uses none any more; whether it had one until now."""
        with self._lock:
            had, job.has_connection = job.has_connection, False
        if had:
            self._line.done(job.transfer.unit.attempt, job.place)
        return had

    def _end(self, job: Job, report: Ready | Unchanged | Uploaded | Failed) -> None:
        """Report a transfer's end, unless it was given up before."""
        with self._lock:
            attempt = report.attempt
            if self._jobs.get(attempt) is not job:
                return
            del self._jobs[attempt]
            self._outbox.put(report)
            self._idle.notify_all()

    def _withdraw(self, unit: Withdraw) -> None:
        try:
            report = withdraw(unit)
        except Abort as abort:
            report = Failed(attempt=unit.attempt, code=abort.code, message=abort.message)
        except Exception:  # noqa: BLE001 - the others must not notice (logged)
            _log.exception("withdrawing met an error that nobody foresaw")
            report = Failed(attempt=unit.attempt, code="internal")
        self._published([report])

    def _published(self, reports: Sequence[Published | Failed]) -> None:
        with self._lock:
            self._publishing -= len(reports)
            for report in reports:
                self._outbox.put(report)
            self._idle.notify_all()

    def _stop(self, attempt: Attempt) -> None:
        """End a fetch. Publishing is short and not interrupted."""
        with self._lock:
            job = self._jobs.get(attempt)
            waiting = self._waiting.pop(attempt, None)
            if waiting is not None:
                self._line.leave(attempt, waiting[1])
                self._outbox.put(Failed(attempt=attempt, code="stopped"))
                self._idle.notify_all()
        if job is not None:
            job.end("stopped")

    def _pulse(self) -> None:
        looked = time.monotonic()
        while not self._over.wait(SOON if self._line.is_holding else _PULSE):
            self._admit()  # Others may wait for their server now, or a segment have stood back.
            if time.monotonic() - looked < _PULSE:
                continue
            looked = time.monotonic()
            with self._lock:
                jobs = list(self._jobs.values())
            for job in jobs:
                self._look_at(job)
            self._lanes.sweep()

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
            self._pass_connection_on(job)
            self._end(job, Failed(attempt=transfer.unit.attempt, code=job.ended[1]))

    def _finish(self) -> None:
        with self._lock:
            attempts = [*self._waiting, *self._jobs]
        for attempt in attempts:
            self._stop(attempt)
        with self._lock:
            self._idle.wait_for(lambda: not self._jobs and not self._publishing, _EXIT)
        self._over.set()
        self._outbox.close(timeout=0.5)


def main() -> None:
    """Set the process up and serve. Ctrl-C in a terminal is meant for the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    platform.file_mode()
    platform.allow_descriptors()
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
