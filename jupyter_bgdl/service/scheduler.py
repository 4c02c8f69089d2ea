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

import msgspec
from msgspec import UNSET

from jupyter_bgdl.engine.protocol import Ending, Engine, Progress, Report
from jupyter_bgdl.errors import Cancelled, TransferTimeout
from jupyter_bgdl.model import Phase, SessionOptions, WaitingFor
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.service.alarms import Alarms, Rung
from jupyter_bgdl.service.asks import Asks
from jupyter_bgdl.service.disk import DiskWatch
from jupyter_bgdl.service.engagements import Engagements
from jupyter_bgdl.service.environment import Environment
from jupyter_bgdl.service.holding import Holding
from jupyter_bgdl.service.kept_parts import KeptParts
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.outcome import Outcomes
from jupyter_bgdl.service.places import Places
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.quotas import Quotas
from jupyter_bgdl.service.session_log import SessionLog
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import DATE, TURN, Tasks
from jupyter_bgdl.service.turns import Turns
from jupyter_bgdl.service.uploads import Uploads
from jupyter_bgdl.service.views import Live, Row, begins_at

log = logging.getLogger(__name__)

_REST = 4.0
_LONGEST_REST = 0.05
"""After a look at what the engine says, the next one comes so many times what that took later,
in seconds at most: each is a commit, and the more come at once, the less they cost."""

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
        session_log: SessionLog,
        held: dict[int, str],
        places: Places,
        quotas: Quotas,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self.environment = Environment(ledger)
        self.engagements = Engagements(
            ledger, engine, tasks, live, self._free, self.environment, places
        )
        self._sessions = sessions
        self._tasks = tasks
        self._settings = settings
        self._leftovers = leftovers
        self.kept_parts = KeptParts(ledger, sessions, leftovers)
        self.uploads = Uploads(ledger, sessions, tasks, self)
        self.asks = Asks(ledger, sessions, tasks, self.environment, self)
        self._outcomes = Outcomes(ledger, tasks, live, settings, self, leftovers, quotas)
        self._turns = Turns()
        self._holding = Holding(
            ledger, sessions, tasks, session_log, self.engagements, self._turns, held, settings
        )
        self._alarms = Alarms(ledger.clock, tasks.get, self.pump)
        self._disk = DiskWatch(
            tasks.get, self._wake_all, leftovers.blocking, leftovers.soon, settings.disk_poll
        )
        self._inbox: list[Report] = []
        self._rested = 0.0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closing = False

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
        self._holding.close()
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

    def watch_new(self, session: int, first: int) -> None:
        """:meth:`watch` the tasks that were added from this number on."""
        for row in self._ledger.each("new_tasks", session=session, first=first):
            self.watch(row)

    def queue(self, row: Row) -> None:
        self._turns.add(row["session"], row["host"], row["priority"], row["number"], row["id"])

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
            self._loop.call_soon_threadsafe(self._drain_soon)

    def _drain_soon(self) -> None:
        """At once after a pause; else with what comes in the same moment."""
        assert self._loop
        delay = self._rested - time.monotonic()
        if delay > 0 and not self._is_closing:
            self._loop.call_later(delay, self.drain)
        else:
            self.drain()

    def drain(self) -> None:
        begun = time.monotonic()
        with self._lock:
            reports, self._inbox = self._inbox, []
        lasting: list[Report] = []
        for report in reports:
            if isinstance(report, Progress):
                self.engagements.progress(report)
            else:
                lasting.append(report)
        if not lasting:
            return
        try:
            self._take(lasting)
        except sqlite3.Error:
            log.exception("The ledger takes nothing; %d reports wait.", len(lasting))
            with self._lock:
                self._inbox[:0] = lasting
            if self._loop and not self._is_closing:
                self._loop.call_later(_LEDGER_RETRY, self.drain)
            return
        self.pump()
        now = time.monotonic()
        self._rested = now + min(_REST * (now - begun), _LONGEST_REST)

    def _take(self, reports: list[Report]) -> None:
        """All at once; one by one if that goes wrong, to see whose trouble it is."""
        tasks = {report.attempt.task for report in reports}
        try:
            with self._ledger.transaction():
                self._ledger.draft(tasks)
                for report in reports:
                    self._outcomes.take(report)
        except sqlite3.OperationalError:
            raise
        except Exception:
            log.warning("%d reports are taken one by one.", len(reports), exc_info=True)
            with self._ledger.transaction():
                for report in reports:
                    self._guarded(report)

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
                self.engagements.stop(row)
                self._tasks.complete(
                    row,
                    code="transfer_error",
                    reason="internal error",
                )
            if isinstance(report, Ending):
                self.engagements.let_go(report.attempt, row)

    def _free(self, task: int) -> None:
        row = self._tasks.get(task)
        if row and _is_ready(row):
            self.queue(row)

    # What the engine is told

    def pump(self) -> None:
        """Hand over what was committed, fill the free places, and set the alarm for what happens
        next by itself."""
        if self._is_closing or not self._ledger.is_open:
            return
        self.engagements.hand_over()
        try:
            self._ring()
            self._holding.look(self._loop, self.pump)
            while self._fill():
                pass
        except sqlite3.Error:
            log.exception("The ledger takes nothing; nothing new is started.")
            if self._loop:
                self._alarms.set_in(self._loop, _LEDGER_RETRY)
            return
        if self._loop:
            self._alarms.set(self._loop)

    def _fill(self) -> bool:
        """B; straight on to C if the bytes are all there. True: there may be room for more."""
        active = self.engagements.active()
        stock = self.engagements.stock()
        most = self._settings.max_active_tasks + sum(stock.values())
        free = min(most - active.total(), self._engine.capacity())
        options: dict[int, SessionOptions] = {}

        def limit(session: int, host: str) -> int:
            if session in self._holding.held:
                return 0
            if session not in options:
                options[session] = self._sessions.options(self._sessions.by_id(session))
            return options[session].maximum_connections_per_host + stock.get((session, host), 0)

        picked: dict[int, None] = {}
        while len(picked) < free and (choice := self._turns.take(active, limit)):
            session, host, task = choice
            if task not in picked and not self.engagements.has(task):
                active[session, host] += 1
                picked[task] = None
        if not picked:
            return False
        try:
            with self._ledger.transaction():
                begun = self._tasks.begin(picked)
                gone = len(begun)
                for row in begun:
                    if row["phase"] == Phase.FINISHING:
                        self.engagements.publish(row)
                    elif missing := self.environment.missing(row, options[row["session"]]):
                        self.after(self.asks.lacks(row, missing))
                        gone -= 1
                    else:
                        self.engagements.transfer(row, options[row["session"]])
        except sqlite3.Error:
            for task in picked:
                self._free(task)
            raise
        self.engagements.hand_over()
        # Fewer: some entries were out of date, or have to wait after all.
        return gone < len(picked)

    def forget(self, session: int) -> None:
        """After the commit that removed it: what still stood in line counts no more."""
        self._turns.forget(session)

    # What a person, or the clock, wants. All inside a transaction.

    def cancel(self, row: Row) -> Row:
        if row["phase"] in (Phase.COMPLETED, Phase.CANCELING):
            return row
        if self.engagements.stop(row):
            return self._tasks.update(
                row,
                phase=Phase.CANCELING,
                waiting_for=None,
                due=None,
                remaining=None,
                deadline=row["deadline"] or self._ledger.clock() + (row["remaining"] or 0),
                since=time.time(),
                reason="",
            )
        return self.finish_cancel(row)

    def finish_cancel(self, row: Row) -> Row:
        """G: nobody writes to the part any more; it goes, unless resume data stands for it. So does
        what a server has of a file."""
        if row["source"] is not None:
            row = self.uploads.withdraw(row)
        else:
            self._leftovers.sweep(row)
            if not self.kept_parts.take(row):
                self._leftovers.drop_part(row)
            row = self._tasks.drop_part(row)
        return self._tasks.complete(row, code=Cancelled.code, message="Cancelled.")

    def suspend(self, row: Row) -> Row:
        if row["phase"] not in (Phase.WAITING, Phase.RUNNING):
            return row  # What is being published cannot be held any more.
        self.engagements.stop(row)
        return self._tasks.suspend(row, self.engagements.received(row))

    def resume(self, row: Row) -> Row:
        if row["phase"] != Phase.SUSPENDED:
            return row
        row = self._tasks.resume(row)
        self.after(row)
        return row

    def change(self, row: Row, change: TaskChange) -> Row:
        """A date that comes too late is left out: a cell that sets it may be run again."""
        if row["phase"] not in (Phase.SUSPENDED, Phase.WAITING):
            change = msgspec.structs.replace(change, earliest_begin_date=UNSET)
        dated = change.earliest_begin_date is not UNSET
        before = row["priority"]
        row = self._tasks.change(row, change)
        if row["phase"] != Phase.WAITING:
            return row
        if row["priority"] != before:
            self._ledger.on_commit(lambda: self._turns.move(row["id"], row["priority"]))
        if dated and row["waiting_for"] == WaitingFor.EARLIEST_BEGIN_DATE:
            self._begin_date(row)
        elif dated and row["waiting_for"] == WaitingFor.TURN and begins_at(row) > time.time():
            row = self._tasks.wait(row, WaitingFor.EARLIEST_BEGIN_DATE, DATE, None)
            self.after(row)
        else:
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
            if row["waiting_for"] == WaitingFor.EARLIEST_BEGIN_DATE:
                self.begin(row)  # Nobody said otherwise.
            elif row["waiting_for"] == WaitingFor.DISK_SPACE and self._disk.is_short(task):
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
            if row["due"] is not None:
                row = self._tasks.wait(row, WaitingFor.EARLIEST_BEGIN_DATE, DATE, None)
            self.after(row)
        elif self.asks.delays(row):
            self.asks.delay(row)
        elif row["due"] is None:
            self.begin(row)

    def begin(self, row: Row) -> None:
        """For a task whose date has come: it waits for its turn."""
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
        self.engagements.stop(row)
        self._tasks.complete(
            row,
            code=TransferTimeout.code,
            message="The transfer did not finish within timeout_for_resource.",
            reason="took too long",
        )


def _is_ready(row: Row) -> bool:
    return bool(row["phase"] == Phase.WAITING and row["waiting_for"] == WaitingFor.TURN)
