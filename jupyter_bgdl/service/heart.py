"""Holds the parts together, and answers the calls of :class:`~.service.Service`.

Everything runs in the service thread. Between two ``await`` nothing else does, so each step here
sees the ledger and the memory in agreement.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from jupyter_bgdl.asks import Answer, Ask
from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.protocol import Engine
from jupyter_bgdl.environment import names_in
from jupyter_bgdl.errors import DestinationNotAllowed, InvalidRequest, ServerUnavailable
from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.model import (
    AttachReply,
    AttachRequest,
    Event,
    LogLine,
    LogPage,
    Match,
    Phase,
    SessionView,
    SubmitReply,
    Submitted,
    TaskMetrics,
    TaskSpec,
    TaskView,
)
from jupyter_bgdl.owner_file import BEAT
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.resume_data import CancelReply, ResumeRequest
from jupyter_bgdl.service import destinations, staging
from jupyter_bgdl.service.changes import Change
from jupyter_bgdl.service.cleaning import Cleaning
from jupyter_bgdl.service.diagnosis import Diagnosis
from jupyter_bgdl.service.endings import Endings
from jupyter_bgdl.service.explain import Explainer
from jupyter_bgdl.service.inspection import inspect
from jupyter_bgdl.service.journal import Journal, event
from jupyter_bgdl.service.launches import Launches
from jupyter_bgdl.service.ledger import Ledger, as_json
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.metrics import metrics_of
from jupyter_bgdl.service.pages import MAX_ACTIVE, Pages
from jupyter_bgdl.service.pausing import Pausing
from jupyter_bgdl.service.places import Places
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.quotas import Quotas
from jupyter_bgdl.service.receipts import ReceiptFolder
from jupyter_bgdl.service.scheduler import Scheduler
from jupyter_bgdl.service.session_log import SessionLog
from jupyter_bgdl.service.sessions import Alive, Sessions, check_attach, shown_options
from jupyter_bgdl.service.submitter import Submitter
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.views import Live, Row, Views, owner_name, owner_of

log = logging.getLogger(__name__)

_LET_GO = 30.0
"""Seconds within which the engine lets go of a task, or nobody waits for its resume data."""

Action = Literal["resume", "suspend", "cancel", "retry"]


_CHUNK = 1000
"""Rows that are read at once."""


class Heart:
    def __init__(
        self,
        state_dir: Path,
        engine: Engine,
        alive: Alive,
        settings: Settings,
        url: str | None,
        emit: Callable[[Change], None],
    ) -> None:
        self._settings = settings
        self._ledger = Ledger(state_dir, url)
        self._live: dict[int, Live] = {}
        launching: set[int] = set()
        held: dict[int, str] = {}
        self._views = Views(self._ledger, self._live, launching, held)
        self._journal = Journal(self._ledger, emit)
        self._receipts = ReceiptFolder(self._ledger)
        self._log = SessionLog(self._ledger, settings.max_log_lines)
        quotas = Quotas(self._ledger, settings)
        self.sessions = Sessions(
            self._ledger, self._journal, self._log, emit, alive, settings.silence, quotas
        )
        self._tasks = Tasks(
            self._ledger, self.sessions, self._journal, self._log, self._views, emit
        )
        self._leftovers = Leftovers(self._ledger, self._in_thread, self._soon)
        self._places = places = Places(settings)
        self._scheduler = Scheduler(
            self._ledger,
            engine,
            self.sessions,
            self._tasks,
            self._live,
            settings,
            self._leftovers,
            self._log,
            held,
            places,
            quotas,
        )
        self._submitter = Submitter(
            self._ledger,
            self.sessions,
            self._tasks,
            self._scheduler,
            self._leftovers,
            places,
            quotas,
        )
        self._endings = Endings(
            self._ledger,
            self.sessions,
            self._tasks,
            self._journal,
            self._scheduler,
            self._leftovers,
            emit,
        )
        self._explainer = Explainer(
            self._ledger, self.sessions, self._scheduler.engagements, settings
        )
        self.cleaning = Cleaning(
            self._ledger,
            self.sessions,
            self._tasks,
            self._leftovers,
            self._endings,
            self._scheduler.kept_parts,
        )
        self._diagnosis = Diagnosis(
            self._ledger, self.sessions, self._views, self._scheduler.engagements, settings
        )
        self.launches = Launches(self._ledger, self.sessions, self._log, launching)
        self.pages = Pages(self._ledger, self.sessions, self._tasks, self._views)
        self.pausing = Pausing(self._ledger, self.sessions, self._scheduler)
        self._unavailable = "The transfer service has not started yet."
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def moving(self) -> int:
        return self._scheduler.engagements.moving

    # Life

    def open(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Try to get the ledger; False: it is not ours (yet)."""
        self._loop = loop
        if not platform.is_supported():
            self._unavailable = f"Background transfers are not supported on {sys.platform} yet."
            return False
        try:
            self._ledger.open()
            inspect(self._ledger)
            self._scheduler.start(loop)
            self._endings.recover()
        except ServerUnavailable as e:
            if e.message != self._unavailable:
                log.warning("%s", e.message)
            self._unavailable = e.message
            return False
        except (OSError, sqlite3.Error) as e:
            self._unavailable = f"The ledger {self._ledger.path} cannot be used: {e}."
            log.exception("The ledger %s cannot be used.", self._ledger.path)
            self._ledger.close()
            return False
        return True

    async def live(self, stop: asyncio.Event) -> None:
        """Until ``stop``: get the ledger, end leases, beat, save the clock."""
        beaten = saved = time.monotonic()
        tidied = -math.inf
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._settings.lease_check)
            if stop.is_set():
                break
            if not self._ledger.is_open and not self.open(asyncio.get_running_loop()):
                continue
            now = time.monotonic()
            try:
                for session in self.sessions.end_leases():
                    with self._ledger.transaction():
                        self._take_receipts(session)
                if now - tidied >= self._settings.tidy:
                    tidied = now
                    await self.cleaning.expire(self._settings.keep_finished)
                    with self._ledger.transaction():
                        self._scheduler.kept_parts.tidy()
                    self._receipts.tidy()
                if now - beaten >= BEAT:
                    beaten = now
                    self._ledger.beat()
                if now - saved >= self._settings.clock_save:
                    saved = now
                    with self._ledger.transaction():
                        self._ledger.save_clock()
            except Exception:
                # Whatever it was, the transfers go on, and it is tried again.
                log.exception("Leases, heartbeat or clock could not be kept up.")

    def close(self, timeout: float) -> None:
        if self._ledger.is_open:
            self._scheduler.close(timeout)
            self._ledger.close()

    def check_open(self) -> None:
        """Raises :class:`ServerUnavailable`, which says who has the ledger."""
        if not self._ledger.is_open:
            raise ServerUnavailable(self._unavailable)

    def _in_thread(self, work: Callable[[], None]) -> None:
        """Blocking clean-up that nobody waits for; while closing, at once."""
        assert self._loop
        if self._loop.is_running():
            self._loop.run_in_executor(None, work)
        else:
            work()

    def _soon(self, work: Callable[[], None]) -> None:
        """From such a thread back into this one; nothing, once the loop is closed."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    # Sessions

    async def attach(self, user: str, identifier: str, request: AttachRequest) -> AttachReply:
        await asyncio.to_thread(check_attach, identifier, request)
        with self._ledger.transaction():
            before = self._ledger.one("session", user=user, identifier=identifier)
            if before is not None:
                self._take_receipts(before)
            row, is_owner, created, changed = self.sessions.attach(user, identifier, request)
            row = self.launches.attached(row, is_owner)
            named = names_in(self.sessions.options(row).additional_headers)
            row = self._scheduler.environment.want(row, named)
        self._scheduler.pump()  # What was made unattended need not wait any more.
        active = self._ledger.all("active_page", session=row["id"], after=0, limit=MAX_ACTIVE)
        receipts = None
        if is_owner:
            goes_on = before is not None and before["epoch"] == row["epoch"]
            receipts = self._receipts.go_on(row) if goes_on else self._receipts.begin(row)
        return AttachReply(
            session=self._views.session(row),
            options=shown_options(self.sessions.options(row)),
            is_owner=is_owner,
            epoch=row["epoch"],
            created=created,
            changed=changed,
            tasks=[self._tasks.view(task) for task in active],
            undelivered=row["undelivered"],
            environment=self._scheduler.environment.names(row),
            receipts=receipts,
        )

    async def detach(self, user: str, identifier: str, epoch: int) -> None:
        with self._ledger.transaction():
            session = self.sessions.get(user, identifier)
            self._take_receipts(session)
            self.sessions.detach(session, epoch)

    async def invalidate(self, user: str, identifier: str, epoch: int, *, cancel: bool) -> None:
        session = self.sessions.get(user, identifier)
        self.sessions.check_epoch(session, epoch)
        with self._ledger.transaction():
            self._endings.begin(session, cancel=cancel)
        if cancel:
            await self._endings.cancel_rest(session["id"])

    async def session_views(self, user: str) -> list[SessionView]:
        return [self._views.session(row) for row in self._ledger.all("sessions", user=user)]

    async def unfinished(self) -> int:
        row = self._ledger.one("unfinished_tasks")
        assert row
        count: int = row["count"]
        return count

    async def session_view(self, user: str, identifier: str) -> SessionView:
        return self._views.session(self.sessions.get(user, identifier))

    async def owner(self, user: str, identifier: str) -> tuple[int, str]:
        row = self.sessions.get(user, identifier)
        owner = owner_of(row)
        return row["epoch"], owner_name(owner) if owner else ""

    # Tasks

    async def submit(
        self, user: str, identifier: str, specs: list[TaskSpec], find_only: bool, confined: bool
    ) -> SubmitReply:
        settled = await self._submitter.submit(
            user, identifier, specs, find_only, confined=confined
        )
        views = [
            view
            for start in range(0, len(settled), _CHUNK)
            for view in await self.numbered(
                user, identifier, [number for _, number in settled[start : start + _CHUNK]]
            )
        ]
        self._scheduler.pump()
        return SubmitReply(
            [Submitted(match, view) for (match, _), view in zip(settled, views, strict=True)]
        )

    async def settle(
        self, user: str, identifier: str, specs: list[TaskSpec], find_only: bool, confined: bool
    ) -> list[tuple[Match, int]]:
        settled = await self._submitter.submit(
            user, identifier, specs, find_only, confined=confined
        )
        self._scheduler.pump()
        return settled

    async def numbered(self, user: str, identifier: str, numbers: list[int]) -> list[TaskView]:
        found = self._tasks.views(self.sessions.get(user, identifier), numbers)
        views = {view.task_identifier: view for view in found}
        return [views[number] for number in numbers]

    async def task_view(self, user: str, identifier: str, number: int) -> TaskView:
        return self._tasks.view(self._task(user, identifier, number))

    async def task_metrics(self, user: str, identifier: str, number: int) -> TaskMetrics:
        return metrics_of(self._task(user, identifier, number))

    async def content(self, user: str, identifier: str, number: int) -> bytes:
        return self._scheduler.uploads.content(self._task(user, identifier, number))

    async def act(self, action: Action, user: str, identifier: str, number: int) -> TaskView:
        row = self._task(user, identifier, number)
        with self._ledger.transaction():
            if action == "resume":
                row = self._scheduler.resume(row)
            elif action == "suspend":
                row = self._scheduler.suspend(row)
            elif action == "cancel":
                row = self._scheduler.cancel(row)
            else:
                row = self._retry(row)
        self._scheduler.pump()
        return self._tasks.view(self._task(user, identifier, number))

    async def change(self, user: str, identifier: str, number: int, change: TaskChange) -> TaskView:
        row = self._task(user, identifier, number)
        with self._ledger.transaction():
            self._scheduler.change(row, change)
        self._scheduler.pump()
        return self._tasks.view(self._task(user, identifier, number))

    async def answer(self, user: str, identifier: str, number: int, answer: Answer) -> TaskView:
        row = self._task(user, identifier, number)
        options = self.sessions.options(self.sessions.by_id(row["session"]))
        with self._ledger.transaction():
            self._scheduler.asks.answer(row, answer, options)
        self._scheduler.pump()
        return self._tasks.view(self._task(user, identifier, number))

    async def explain(self, user: str, identifier: str, number: int) -> Explanation:
        row = self._task(user, identifier, number)
        return self._explainer.explain(row, self._tasks.view(row))

    async def diagnose(self, user: str) -> dict[str, Any]:
        return self._diagnosis.document(user)

    async def give_environment(self, user: str, identifier: str, values: dict[str, str]) -> None:
        session = self.sessions.get(user, identifier)
        with self._ledger.transaction():
            self._scheduler.asks.given(session, values)
        self._scheduler.pump()

    async def cancel_for_resume(self, user: str, identifier: str, number: int) -> CancelReply:
        row = self._task(user, identifier, number)
        if row["source"] is not None:
            raise InvalidRequest("An upload has no resume data; one that can go on does by itself.")
        token = None
        if row["phase"] != Phase.COMPLETED:
            wanted = self._scheduler.kept_parts.want(row)
            try:
                with self._ledger.transaction():
                    self._scheduler.cancel(row)
                self._scheduler.pump()
                with suppress(TimeoutError):
                    token = await asyncio.wait_for(wanted, _LET_GO)
            finally:
                wanted.cancel()  # Nothing, once it is answered.
        return CancelReply(self._tasks.view(self._task(user, identifier, number)), token)

    async def resume_from(
        self, user: str, identifier: str, request: ResumeRequest, confined: bool
    ) -> Submitted:
        return await self._submitter.resume_from(user, identifier, request, confined)

    def _retry(self, row: Row) -> Row:
        if row["phase"] != Phase.COMPLETED:
            return self._scheduler.wake(row)
        if row["error_code"] is None:
            return row
        return self._submitter.retry(self.sessions.by_id(row["session"]), row)

    async def remove(self, user: str, identifier: str, number: int) -> None:
        row = self._task(user, identifier, number)
        if row["phase"] != Phase.COMPLETED:
            raise InvalidRequest("Only a completed task can be removed; cancel it first.")
        with self._ledger.transaction():
            self._leftovers.drop_part(row)
            self._tasks.remove(row)
        if row["keep"] is not None:
            await asyncio.to_thread(staging.forget, row["keep"])

    async def moved(
        self, user: str, identifier: str, number: int, path: str, confined: bool
    ) -> TaskView:
        row = self._task(user, identifier, number)
        if row["path"] is None:
            raise InvalidRequest("The task has no file that could have been moved.")
        if not path.startswith("/") or "\0" in path:
            raise InvalidRequest("The path must be absolute.")
        confines = self._places.confines(confined=True) if confined else None
        refusal = await asyncio.to_thread(confines.refusal, path) if confines else None
        if refusal is not None:
            raise DestinationNotAllowed(refusal)
        size = await asyncio.to_thread(destinations.size, path)
        if size is None:
            raise InvalidRequest(f"There is no file at {path}.")
        with self._ledger.transaction():
            row = self._tasks.update(row, path=path, size=size)
        return self._tasks.view(row)

    def _task(self, user: str, identifier: str, number: int) -> Row:
        return self._tasks.by_number(self.sessions.get(user, identifier), number)

    # Log

    async def log_page(self, user: str, identifier: str, after: int, limit: int) -> LogPage:
        return LogPage(self._log.page(self.sessions.get(user, identifier)["id"], after, limit))

    async def append_log(
        self, user: str, identifier: str, text: str, source: Literal["callback", "server"]
    ) -> LogLine:
        session = self.sessions.get(user, identifier)
        with self._ledger.transaction():
            return self._log.add(session["id"], text, source)

    # Journal

    async def deliver(
        self, user: str, identifier: str, epoch: int, parked: bool, answers: list[Ask]
    ) -> None:
        row = self.sessions.get(user, identifier)
        self.sessions.check_epoch(row, epoch)
        with self._ledger.transaction():
            if parked:
                self._journal.unpark(row)
            self._scheduler.asks.listens(row, answers, anew=parked)

    async def deliver_again(self, user: str, identifier: str) -> SessionView:
        session = self.sessions.get(user, identifier)
        with self._ledger.transaction():
            self._journal.unpark(session)
            self.sessions.changed(session)
        return self._views.session(self.sessions.get(user, identifier))

    async def events(
        self, user: str, identifier: str, epoch: int, after: int, limit: int
    ) -> list[Event]:
        session = self.sessions.get(user, identifier)
        self.sessions.check_epoch(session, epoch)
        rows = self._journal.page(session["id"], after, limit)
        if not rows:
            return []
        events = [event(row, identifier) for row in rows]
        with self._ledger.transaction():
            self._journal.mark_sent(rows)
        lost = [
            (told.task.path, row["keep"])
            for row, told in zip(rows, events, strict=True)
            if row["keep"] is not None and told.redelivered and told.task and told.task.path
        ]
        if lost:
            await asyncio.to_thread(staging.restore, lost)
        return events

    async def acknowledge(
        self, user: str, identifier: str, epoch: int, dealt: list[tuple[int, str | None]]
    ) -> None:
        session = self.sessions.get(user, identifier)
        self.sessions.check_epoch(session, epoch)
        with self._ledger.transaction():
            self._acknowledged(session, dealt)

    def _take_receipts(self, session: Row) -> None:
        """Inside a transaction: its owner's acknowledgements that may have been lost on their
        way."""
        if dealt := self._receipts.of(session):
            self._acknowledged(session, [(sequence, None) for sequence in dealt])

    def _acknowledged(self, session: Row, dealt: list[tuple[int, str | None]]) -> None:
        """Inside a transaction."""
        tasks = self._journal.acknowledge(session["id"], dealt)
        self.sessions.changed(session)
        self._endings.dealt_with(session)

        def release() -> None:
            for row in self._ledger.all("all_dealt_with", tasks=as_json(tasks)):
                self._leftovers.release(row)

        self._ledger.on_commit(release)
