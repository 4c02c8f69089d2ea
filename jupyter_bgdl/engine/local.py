"""The default engine: one worker process on this machine.

starting ──▶ serving ──closed──▶ over
    ▲           │ worker died: its attempts fail with ``worker_died``
    └── pause ──┘
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from typing import IO

import msgspec

from jupyter_bgdl.engine import wire
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Ending,
    Engine,
    Failed,
    Limits,
    Progress,
    Report,
    Unit,
)

_log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
"""Seconds before a worker is started again. They grow while it does not even get to serve."""

_LINGER = 5.0
"""Seconds that a worker which hung up may take to exit."""

_QUERY = re.compile(r"(\w+://)(?:[^\s/@]*@)?([^\s?#]*)[?#]\S*|(\w+://)[^\s/@]*@")


class LocalEngine(Engine):
    """Starts the worker, hands it the units, and starts another when it dies."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._limits = limits
        self._lock = threading.Lock()
        self._running: set[Attempt] = set()
        self._stopping: set[Attempt] = set()
        self._commands: queue.SimpleQueue[wire.Command | None] = queue.SimpleQueue()
        self._has_served = False
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._report: Callable[[list[Report]], None] = lambda reports: None

    @property
    def pid(self) -> int | None:
        """Process id of the worker that serves now."""
        process = self._process
        return process.pid if process is not None else None

    def start(self, report: Callable[[list[Report]], None]) -> None:
        self._report = report
        self._supervisor = threading.Thread(target=self._supervise, name="engine", daemon=True)
        self._supervisor.start()

    def submit(self, units: Iterable[Unit]) -> None:
        units = list(units)
        with self._lock:
            self._running.update(unit.attempt for unit in units)
            self._commands.put(wire.Submit(units))

    def stop(self, attempts: Iterable[Attempt]) -> None:
        with self._lock:
            attempts = [attempt for attempt in attempts if attempt in self._running]
            self._stopping.update(attempts)
            self._commands.put(wire.Stop(attempts))

    def configure(self, limits: Limits) -> None:
        """Also while units run: those that wait for their turn or for bandwidth notice at once."""
        self._limits = limits
        self._commands.put(wire.Configure(limits))

    def running(self) -> set[Attempt]:
        with self._lock:
            return set(self._running)

    def capacity(self) -> int:
        with self._lock:
            return max(0, self._limits.units - len(self._running))

    def close(self, timeout: float) -> None:
        """Checkpoint everything and end, within ``timeout`` seconds; kills what takes longer."""
        self._closing.set()
        self._commands.put(wire.Close())
        if self._supervisor is None:
            return
        self._supervisor.join(timeout)
        if self._supervisor.is_alive():
            process = self._process
            if process is not None:
                process.kill()
            self._supervisor.join()

    def _supervise(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            self._has_served = False
            try:
                self._serve()
            except OSError as error:
                _log.error("The transfer process can't be started: %s", error)
            self._bury()
            pause = _FIRST_PAUSE if self._has_served else min(2 * pause, _LONGEST_PAUSE)
            self._closing.wait(pause)

    def _serve(self) -> None:
        """Run one worker until it is gone."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [
                        sys.executable,
                        # -P: a user's ssl.py in the working folder must not kill it
                        "-P",
                        "-m",
                        "jupyter_bgdl.engine.worker",
                        str(theirs.fileno()),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    # Out of the terminal's foreground group: Ctrl-C is for the server.
                    process_group=0,
                )
            assert process.stderr is not None
            with process:
                self._process = process
                with contextlib.suppress(OSError):  # the reader notices that it is gone
                    wire.send_command(ours, wire.Configure(self._limits))
                writer = threading.Thread(target=self._write, args=(ours,), daemon=True)
                scribe = threading.Thread(target=_log_lines, args=(process.stderr,), daemon=True)
                writer.start()
                scribe.start()
                try:
                    for reports in wire.reports(ours):
                        self._has_served = True
                        self._handle(reports)
                except msgspec.MsgspecError:
                    _log.exception("The transfer process said something that makes no sense")
                    process.kill()
                finally:
                    self._commands.put(None)
                    with contextlib.suppress(OSError):
                        ours.shutdown(socket.SHUT_RDWR)
                    writer.join()
                    try:
                        process.wait(_LINGER)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait()
                    scribe.join()
                    self._process = None

    def _write(self, connection: socket.socket) -> None:
        while (command := self._commands.get()) is not None:
            try:
                wire.send_command(connection, command)
            except OSError:
                # The worker is gone. What was submitted to it is told to have died with it.
                continue

    def _handle(self, reports: list[Report]) -> None:
        kept: list[Report] = []
        with self._lock:
            for report in reports:
                if report.attempt not in self._running:
                    continue
                if isinstance(report, Ending):
                    self._running.discard(report.attempt)
                    asked = report.attempt in self._stopping or self._closing.is_set()
                    self._stopping.discard(report.attempt)
                    if isinstance(report, Failed) and report.code == "stopped" and not asked:
                        # Somebody else ended the worker.
                        report = msgspec.structs.replace(report, code="worker_died")
                kept.append(report)
        if kept:
            self._deliver(kept)

    def _bury(self) -> None:
        """Fail what ran in a worker that is gone."""
        with self._lock:
            while True:
                try:
                    command = self._commands.get_nowait()
                except queue.Empty:
                    break
                if isinstance(command, wire.Close):
                    self._closing.set()
            lost = self._running.copy()
            self._running.clear()
            self._stopping.clear()
        if lost:
            _log.warning("The transfer process ended with %d transfers running", len(lost))
            self._deliver(
                # Also of what was being stopped: it did not get to say how far it was.
                [
                    Failed(attempt=attempt, code="worker_died")
                    for attempt in sorted(lost, key=lambda a: (a.task, a.number))
                ]
            )

    def _deliver(self, reports: list[Report]) -> None:
        try:
            self._report(reports)
        except Exception:  # noqa: BLE001 - the others must not notice (logged)
            _log.exception(
                "Reports were not taken: %s",
                [type(r).__name__ for r in reports if not isinstance(r, Progress)],
            )


def redact(line: str) -> str:
    """``line`` without the userinfo, queries and fragments of the URLs in it."""
    return _QUERY.sub(lambda m: f"{m[1]}{m[2]}?…" if m[1] else m[3], line)


def _log_lines(stream: IO[bytes]) -> None:
    for line in stream:
        _log.warning("worker: %s", redact(line.decode(errors="replace").rstrip()))
