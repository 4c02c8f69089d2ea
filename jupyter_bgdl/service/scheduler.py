"""Decides what may run now, hands it to the engine, and writes down what comes of it.

    turns ──take──▶ begin ──commit──▶ engine.submit
    engine ──report──▶ inbox ──drain──▶ one transaction for all reports of a moment

Only what is committed is handed to the engine, and only what is in the ledger is true: a crash at
any point finds either the old row or the new one. Progress alone stays in memory.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator

from jupyter_bgdl.engine.protocol import (
    Attempt,
    Ending,
    Engine,
    Progress,
    Report,
    Unit,
)
from jupyter_bgdl.errors import Cancelled, TransferTimeout
from jupyter_bgdl.model import Phase, WaitingFor
from jupyter_bgdl.service.alarms import Alarms, Rung
from jupyter_bgdl.service.disk import DiskWatch
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.outcome import Outcomes
from jupyter_bgdl.service.pace import Pace
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.rates import Meter
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import TURN, Tasks
from jupyter_bgdl.service.turns import Turns
from jupyter_bgdl.service.units import fetch_of, publish_of
from jupyter_bgdl.service.uploads import Uploads
from jupyter_bgdl.service.views import Live, Row, begins_at

log = logging.getLogger(__name__)

_LEDGER_RETRY = 2.0
"""Seconds until reports that could not be committed are tried again (fault P9)."""


class Scheduler:
    """Lives in the service thread; :meth:`report` alone may be called from any."""

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        sessions: Sessions,
        tasks: Tasks,
        live: dict[int, Live],
        settings: Settings,
        leftovers: Leftovers,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._sessions = sessions
        self._tasks = tasks
        self._live = live
        self._settings = settings
        self._leftovers = leftovers
        self.uploads = Uploads(ledger, sessions, tasks, self)
        self._outcomes = Outcomes(ledger, tasks, live, settings, self, leftovers)
        self._turns = Turns()
        self._pace = Pace()
        self._alarms = Alarms(ledger.clock, tasks.get, self.pump)
        self._disk = DiskWatch(
            tasks.get, self._wake_all, leftovers.blocking, leftovers.soon, settings.disk_poll
        )
        self._inbox: list[Report] = []
        self._in_hand: list[Unit] = []
        """Committed, and to be submitted."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closing = False

    @property
    def moving(self) -> int:
        """Thread-safe: the list is made in one step."""
        return sum(live.fetching for live in list(self._live.values()))

    # Start and end

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take up what an earlier server left, and start the engine."""
        self._loop = loop
        self._disk.start(loop)
        with self._ledger.transaction():
            self.uploads.recover()
            self._ledger.run("recover_running")
            for row in self._ledger.all("unfinished"):
                self.watch(row)
                if row["phase"] == Phase.CANCELING:
                    task = self._tasks.get(row["id"])
                    assert task
                    self.finish_cancel(task)
                elif row["phase"] == Phase.FINISHING:
                    task = self._tasks.get(row["id"])
                    assert task
                    self._tasks.wait(task, WaitingFor.TURN, TURN, None)
                    self.queue(row)
        self._engine.start(self.report)
        self._leftovers.release_unclaimed()
        self.pump()

    def close(self, timeout: float) -> None:
        """The engine checkpoints and ends; its last reports are committed."""
        self._is_closing = True
        self._alarms.cancel()
        self._disk.close()
        self._engine.close(timeout)
        self.drain()

    def watch(self, row: Row) -> None:
        """Remember when a task that is not completed has to be looked at again."""
        self._alarms.watch(row)
        if row["waiting_for"] == WaitingFor.DISK_SPACE:
            self._disk.add(row["id"])
        if _is_ready(row):
            self.queue(row)

    def queue(self, row: Row) -> None:
        self._turns.add(row["session"], row["host"], row["number"], row["id"])

    def after(self, row: Row) -> None:
        """:meth:`watch`, once the transaction is committed."""
        self._ledger.on_commit(lambda: self.watch(row))

    # What the engine says

    def report(self, reports: list[Report]) -> None:
        """Thread-safe; returns at once."""
        with self._lock:
            is_first = not self._inbox
            self._inbox.extend(reports)
        if is_first and self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        with self._lock:
            reports, self._inbox = self._inbox, []
        lasting = []
        for report in reports:
            if isinstance(report, Progress):
                self._progress(report)
            else:
                lasting.append(report)
        if not lasting:
            return
        try:
            with self._ledger.transaction():
                for report in lasting:
                    self._guarded(report)
        except sqlite3.Error:
            log.exception("The ledger takes nothing; %d reports wait.", len(lasting))
            with self._lock:
                self._inbox[:0] = lasting
            if self._loop and not self._is_closing:
                self._loop.call_later(_LEDGER_RETRY, self.drain)
            return
        self.pump()

    def _guarded(self, report: Report) -> None:
        """One task's trouble is not the others' (fault P13)."""
        try:
            with self._ledger.savepoint():
                self._outcomes.take(report)
        except sqlite3.OperationalError:
            raise
        except Exception:
            log.exception("A report of task %d could not be handled.", report.attempt.task)
            row = self._tasks.get(report.attempt.task)
            if row and row["phase"] != Phase.COMPLETED:
                self.stop(row)
                self._tasks.complete(
                    row,
                    code="transfer_error",
                    reason="internal error",
                )
            if isinstance(report, Ending):
                self.let_go(report.attempt)

    def _progress(self, report: Progress) -> None:
        live = self._live.get(report.attempt.task)
        if live is None or live.attempt != report.attempt:
            return
        live.meter.add(report.received)
        live.received = max(live.received, report.received)
        self._tasks.moved(live.session, live.number)

    def let_go(self, attempt: Attempt) -> None:
        """The engine has ended this attempt; true once the transaction is committed."""

        def forget() -> None:
            live = self._live.get(attempt.task)
            if live and live.attempt == attempt:
                del self._live[attempt.task]
                if live.fetching:
                    self._pace.ended((live.session, live.host), time.monotonic())
                row = self._tasks.get(attempt.task)
                if row and row["phase"] == Phase.WAITING and row["due"] is None:
                    self.watch(row)

        self._ledger.on_commit(forget)

    # What the engine is told

    def pump(self) -> None:
        """Hand over what was committed, fill the free places, and set the alarm for what happens
        next by itself."""
        if self._is_closing or not self._ledger.is_open:
            return
        if self._in_hand:
            units, self._in_hand = self._in_hand, []
            self._engine.submit(units)
        try:
            self._ring()
            self._fill()
        except sqlite3.Error:
            log.exception("The ledger takes nothing; nothing new is started.")
            if self._loop:
                self._alarms.set_in(self._loop, _LEDGER_RETRY)
            return
        if self._loop:
            self._alarms.set(self._loop)

    def _fill(self) -> None:
        picked: list[tuple[int, str, int]] = []
        active = Counter((live.session, live.host) for live in self._live.values() if live.fetching)
        stock = self._pace.stock(time.monotonic())
        most = self._settings.max_active_tasks + sum(stock.values())
        free = min(most - active.total(), self._engine.capacity())
        limits: dict[int, int] = {}

        def limit(session: int, host: str) -> int:
            if session not in limits:
                options = self._sessions.options(self._sessions.by_id(session))
                limits[session] = options.maximum_connections_per_host
            return limits[session] + stock.get((session, host), 0)

        taken: set[int] = set()
        while len(picked) < free and (choice := self._turns.take(active, limit)):
            session, host, task = choice
            row = self._tasks.get(task)
            if row is None or task in self._live or task in taken or not _is_ready(row):
                continue
            taken.add(task)
            active[session, host] += 1
            picked.append(choice)
        if not picked:
            return
        try:
            with self._ledger.transaction():
                units = [unit for _, _, task in picked for unit in self._begin(task)]
                self._ledger.on_commit(lambda: self._engine.submit(units))
        except sqlite3.Error:
            for _, _, task in picked:
                row = self._tasks.get(task)
                if row:
                    self.queue(row)
            raise

    def _begin(self, task: int) -> Iterator[Unit]:
        """B; straight on to C if the bytes are all there."""
        row = self._tasks.get(task)
        assert row
        publishes = row["intent"] is not None
        row = self._tasks.update(
            row,
            phase=Phase.FINISHING if publishes else Phase.RUNNING,
            waiting_for=None,
            due=None,
            reason="",
            attempt=row["attempt"] + 1,
            attempts=row["attempts"] + (not publishes),
        )
        yield self.unit(row)

    def unit(self, row: Row) -> Unit:
        """What the engine is to do for a task in phase running or finishing; it is *live* from
        the commit on."""
        attempt = Attempt(row["id"], row["attempt"])
        publishes = row["phase"] == Phase.FINISHING
        old = self._live.get(row["id"])
        received = max(row["received"], old.received if old else 0)
        live = Live(
            attempt=attempt,
            session=row["session"],
            host=row["host"],
            number=row["number"],
            received=received,
            meter=Meter(received),
            fetching=not publishes,
        )
        self._ledger.on_commit(lambda: self._live.__setitem__(row["id"], live))
        if publishes:
            return publish_of(row, attempt)
        if row["source"] is not None:
            return self.uploads.unit(row)
        session = self._sessions.by_id(row["session"])
        return fetch_of(row, attempt, self._sessions.options(session))

    def submit(self, unit: Unit) -> None:
        """After the commit, with all others of the moment."""
        self._ledger.on_commit(lambda: self._in_hand.append(unit))

    def stop(self, row: Row) -> bool:
        """After the commit, have the engine let go of it; False: the engine does not have it."""
        live = self._live.get(row["id"])
        if live is None:
            return False
        self._ledger.on_commit(lambda: self._engine.stop([live.attempt]))
        return True

    # What a person, or the clock, wants. All inside a transaction.

    def cancel(self, row: Row) -> Row:
        if row["phase"] in (Phase.COMPLETED, Phase.CANCELING):
            return row
        if self.stop(row):
            return self._tasks.update(
                row,
                phase=Phase.CANCELING,
                waiting_for=None,
                due=None,
                remaining=None,
                deadline=row["deadline"] or self._ledger.clock() + (row["remaining"] or 0),
                reason="",
            )
        return self.finish_cancel(row)

    def finish_cancel(self, row: Row) -> Row:
        """G: nobody writes to the part any more; it goes. So does what a server has of a file."""
        if row["source"] is not None:
            row = self.uploads.withdraw(row)
        else:
            self._leftovers.drop_part(row)
            row = self._tasks.drop_part(row)
        return self._tasks.complete(row, code=Cancelled.code, message="Cancelled.")

    def suspend(self, row: Row) -> Row:
        if row["phase"] not in (Phase.WAITING, Phase.RUNNING):
            return row  # What is being published cannot be held any more.
        live = self._live.get(row["id"])
        self.stop(row)
        return self._tasks.suspend(row, live.received if live else 0)

    def resume(self, row: Row) -> Row:
        if row["phase"] != Phase.SUSPENDED:
            return row
        row = self._tasks.resume(row)
        self.after(row)
        return row

    def wake(self, row: Row) -> Row:
        """Do not wait any longer: for a retry, for the disk, for credentials."""
        if row["phase"] != Phase.WAITING or row["waiting_for"] in (
            WaitingFor.TURN,
            WaitingFor.EARLIEST_BEGIN_DATE,
        ):
            return row
        row = self._tasks.wait(row, WaitingFor.TURN, TURN, None)
        self.after(row)
        return row

    # Time

    def _ring(self) -> None:
        rung = self._alarms.over()
        if not rung:
            return
        try:
            with self._ledger.transaction():
                self._act(rung)
        except sqlite3.Error:
            self._alarms.put_back(rung)
            raise

    def _act(self, rung: Rung) -> None:
        now = self._ledger.clock()
        for task in rung.due:
            row = self._tasks.get(task)
            if row is None or row["due"] is None or row["due"] > now:
                continue
            if row["waiting_for"] == WaitingFor.DISK_SPACE and self._disk.is_short(task):
                self.after(self._tasks.update(row, due=now + self._settings.disk_retry))
            else:
                self.wake(row)
        for task in rung.begin:
            row = self._tasks.get(task)
            if row and row["waiting_for"] == WaitingFor.EARLIEST_BEGIN_DATE:
                self._begin_date(row)
        for task in rung.late:
            row = self._tasks.get(task)
            if row and row["deadline"] is not None and row["deadline"] <= now:
                self._expire(row)

    def _wake_all(self, tasks: list[int]) -> None:
        """There is room again. What can't be written now is tried when the pause is over."""
        try:
            with self._ledger.transaction():
                for task in tasks:
                    row = self._tasks.get(task)
                    if row and row["waiting_for"] == WaitingFor.DISK_SPACE:
                        self.wake(row)
        except sqlite3.Error:
            log.exception("The ledger takes nothing; %d tasks wait.", len(tasks))
        self.pump()

    def _begin_date(self, row: Row) -> None:
        """Its date may have been moved, or the clock set back, since the alarm was set."""
        if begins_at(row) > time.time():
            self.after(row)
            return
        # The time that it may take is counted from here.
        options = self._sessions.options(self._sessions.by_id(row["session"]))
        row = self._tasks.wait(
            row,
            WaitingFor.TURN,
            TURN,
            None,
            deadline=self._ledger.clock() + options.timeout_for_resource,
        )
        self.after(row)

    def _expire(self, row: Row) -> None:
        if row["phase"] in (Phase.FINISHING, Phase.CANCELING):
            return  # All bytes are there, or nobody waits for them.
        if row["waiting_for"] == WaitingFor.EARLIEST_BEGIN_DATE:
            return  # Its time has not begun.
        self.stop(row)
        self._tasks.complete(
            row,
            code=TransferTimeout.code,
            message="The transfer did not finish within timeout_for_resource.",
            reason="took too long",
        )


def _is_ready(row: Row) -> bool:
    return bool(row["phase"] == Phase.WAITING and row["waiting_for"] == WaitingFor.TURN)
