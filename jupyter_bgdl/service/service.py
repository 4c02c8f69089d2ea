"""The face of the heart: what the server calls, and what it is told.

Everything behind it lives in one thread with a loop of its own. The coroutines here belong to the
caller's loop; they hop over and come back with a value or with one of ``errors``.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from jupyter_bgdl.asks import Answer, Ask
from jupyter_bgdl.cleanup import Cleaned, UsageReport
from jupyter_bgdl.engine.protocol import Engine
from jupyter_bgdl.errors import BackgroundTransferError, ServerUnavailable
from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.model import (
    AttachReply,
    AttachRequest,
    Event,
    LogLine,
    LogPage,
    Match,
    SessionView,
    SubmitReply,
    Submitted,
    TaskMetrics,
    TaskPage,
    TaskSpec,
    TaskView,
)
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.resume_data import CancelReply, ResumeRequest
from jupyter_bgdl.service.changes import Change
from jupyter_bgdl.service.heart import Heart
from jupyter_bgdl.service.launch_calls import LaunchCalls
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.sessions import Alive

log = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[Change], None]


class Service:
    """``user`` names whose sessions are meant; under a token or password login it is "server".

    All coroutines raise :class:`ServerUnavailable` while the ledger is not ours, and
    :class:`TaskNotFound` for a session or task that there is not.
    """

    def __init__(
        self,
        state_dir: Path,
        engine: Engine,
        *,
        alive: Alive,
        settings: Settings = Settings(),  # noqa: B008  # frozen
        url: str | None = None,
    ) -> None:
        """``alive`` is asked, in the service thread, whether an owner's kernel still lives; None
        means that it cannot tell. ``url`` is what another server on the ledger shows."""
        self._listeners: list[Listener] = []
        self._settings = settings
        self._heart = Heart(state_dir, engine, alive, settings, url, self._emit)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="bgdl-service", daemon=True)
        self._grace = 5.0
        self.launches = LaunchCalls(self._hop, self._heart.launches)

    @property
    def moving(self) -> int:
        """Number of transfers that move now; may be read in any thread."""
        return self._heart.moving

    async def unfinished(self) -> int:
        """Number of transfers that move, or will by themselves; those that are paused not."""
        return await self._hop(self._heart.unfinished())

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Transfers pause, checkpointed, and go on at the next start. Idempotent."""
        if not self._thread.is_alive():
            if self._thread.ident is None and not self._loop.is_closed():
                self._loop.close()  # It was never started.
            return
        self._grace = max(0.0, timeout - 1.0)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """``listener`` is called in the service thread and must return at once. Returns what ends
        the subscription."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def present(self, incarnation: str) -> None:
        """A socket of that kernel was opened. Thread-safe."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._heart.sessions.present, incarnation)

    def absent(self, incarnation: str) -> None:
        """A socket of that kernel was closed. Thread-safe."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._heart.sessions.absent, incarnation)

    # Sessions

    async def attach(self, user: str, identifier: str, request: AttachRequest) -> AttachReply:
        return await self._hop(self._heart.attach(user, identifier, request))

    async def detach(self, user: str, identifier: str, epoch: int) -> None:
        """Raises :class:`SessionInvalidated` if another owner came meanwhile."""
        await self._hop(self._heart.detach(user, identifier, epoch))

    async def invalidate(self, user: str, identifier: str, epoch: int, *, cancel: bool) -> None:
        """The session takes no more tasks, and ends when those that are there are done (``cancel``:
        cancelled) and all was told. Raises :class:`SessionInvalidated` for another owner."""
        await self._hop(self._heart.invalidate(user, identifier, epoch, cancel=cancel))

    async def sessions(self, user: str) -> list[SessionView]:
        return await self._hop(self._heart.session_views(user))

    async def session(self, user: str, identifier: str) -> SessionView:
        return await self._hop(self._heart.session_view(user, identifier))

    async def owner(self, user: str, identifier: str) -> tuple[int, str]:
        """Epoch, and the owner's name: empty if nobody owns it."""
        return await self._hop(self._heart.owner(user, identifier))

    # Tasks

    async def submit(
        self,
        user: str,
        identifier: str,
        specs: list[TaskSpec],
        *,
        find_only: bool = False,
        confined: bool = False,
    ) -> SubmitReply:
        """All or none. Raises :class:`InvalidRequest`, :class:`DestinationExists` or
        :class:`DestinationNotAllowed`. ``find_only``: completed tasks are not opened again;
        ``confined``: their paths have to be in the contents root."""
        return await self._hop(self._heart.submit(user, identifier, specs, find_only, confined))

    async def settle(
        self,
        user: str,
        identifier: str,
        specs: list[TaskSpec],
        *,
        find_only: bool = False,
        confined: bool = False,
    ) -> list[tuple[Match, int]]:
        """As :meth:`submit`, but only what became of each, and its task's number: the views of
        100,000 tasks are large. :meth:`numbered` has them."""
        return await self._hop(self._heart.settle(user, identifier, specs, find_only, confined))

    async def numbered(self, user: str, identifier: str, numbers: list[int]) -> list[TaskView]:
        """The tasks with these numbers, in this order."""
        return await self._hop(self._heart.numbered(user, identifier, numbers))

    async def tasks(
        self,
        user: str,
        identifier: str,
        *,
        after: int = 0,
        limit: int = 500,
        completed: bool | None = None,
    ) -> TaskPage:
        return await self._hop(self._heart.pages.page(user, identifier, after, limit, completed))

    async def task(self, user: str, identifier: str, number: int) -> TaskView:
        return await self._hop(self._heart.task_view(user, identifier, number))

    async def metrics(self, user: str, identifier: str, number: int) -> TaskMetrics:
        """What the task's requests took, as far as its attempts are over."""
        return await self._hop(self._heart.task_metrics(user, identifier, number))

    async def content(self, user: str, identifier: str, number: int) -> bytes:
        """Of the response to an upload, at most 1 MiB. Raises :class:`InvalidRequest` if there is
        none."""
        return await self._hop(self._heart.content(user, identifier, number))

    async def resume(self, user: str, identifier: str, number: int) -> TaskView:
        return await self._hop(self._heart.act("resume", user, identifier, number))

    async def suspend(self, user: str, identifier: str, number: int) -> TaskView:
        return await self._hop(self._heart.act("suspend", user, identifier, number))

    async def pause_all(self, user: str, identifier: str) -> SessionView:
        """All that the session has to do; they keep their bytes."""
        await self._hop(self._heart.pausing.pause(user, identifier))
        return await self.session(user, identifier)

    async def resume_all(self, user: str, identifier: str) -> SessionView:
        await self._hop(self._heart.pausing.resume(user, identifier))
        return await self.session(user, identifier)

    async def cancel(self, user: str, identifier: str, number: int) -> TaskView:
        return await self._hop(self._heart.act("cancel", user, identifier, number))

    async def answer(self, user: str, identifier: str, number: int, answer: Answer) -> TaskView:
        """How a task goes on that waits for credentials, or to be told whether to begin. Raises
        :class:`InvalidRequest` for an address or headers that can't be."""
        return await self._hop(self._heart.answer(user, identifier, number, answer))

    async def explain(self, user: str, identifier: str, number: int) -> Explanation:
        """Why a task is where it is, and what would change it."""
        return await self._hop(self._heart.explain(user, identifier, number))

    async def diagnose(self, user: str) -> dict[str, Any]:
        """One JSON document for whoever looks for a fault: versions, limits, sessions, what the
        server decided. Without secrets."""
        return await self._hop(self._heart.diagnose(user))

    async def give_environment(self, user: str, identifier: str, values: dict[str, str]) -> None:
        """Variables that headers refer to; held in memory. What waited for them goes on."""
        await self._hop(self._heart.give_environment(user, identifier, values))

    async def cancel_for_resume(self, user: str, identifier: str, number: int) -> CancelReply:
        """Cancels a download, and keeps what was fetched for whoever has its resume data."""
        return await self._hop(self._heart.cancel_for_resume(user, identifier, number))

    async def resume_from(
        self, user: str, identifier: str, request: ResumeRequest, *, confined: bool = False
    ) -> Submitted:
        """A suspended download that goes on from resume data, of any session. Raises
        :class:`InvalidResumeData`, and what :meth:`submit` raises."""
        return await self._hop(self._heart.resume_from(user, identifier, request, confined))

    async def retry(self, user: str, identifier: str, number: int) -> TaskView:
        """Opens a failed or cancelled task again; one that waits does so no longer."""
        return await self._hop(self._heart.act("retry", user, identifier, number))

    async def change(self, user: str, identifier: str, number: int, change: TaskChange) -> TaskView:
        """Properties that come too late have no effect: the date of a running task is left out."""
        return await self._hop(self._heart.change(user, identifier, number, change))

    async def remove(self, user: str, identifier: str, number: int) -> None:
        """Raises :class:`InvalidRequest` for a task that is not completed."""
        await self._hop(self._heart.remove(user, identifier, number))

    async def moved(
        self, user: str, identifier: str, number: int, path: str, *, confined: bool = False
    ) -> TaskView:
        """Raises :class:`DestinationNotAllowed` for a path that ``confined`` does not allow."""
        return await self._hop(self._heart.moved(user, identifier, number, path, confined))

    # Clean-up

    async def usage(self, user: str) -> UsageReport:
        """What unfinished and staged downloads hold on the disk."""
        return await self._hop(self._heart.cleaning.usage(user))

    async def clean(self, user: str, identifier: str | None) -> Cleaned:
        """Forgets completed tasks of which everything was told; None: of all sessions."""
        return await self._hop(self._heart.cleaning.clean(user, identifier))

    async def purge(self, user: str, identifier: str) -> None:
        """Forgets a session and all that it has. What runs is cancelled; finished files stay."""
        await self._hop(self._heart.cleaning.purge(user, identifier))

    # Log

    async def log(self, user: str, identifier: str, *, after: int = 0, limit: int = 500) -> LogPage:
        return await self._hop(self._heart.log_page(user, identifier, after, limit))

    async def append_log(
        self,
        user: str,
        identifier: str,
        text: str,
        source: Literal["callback", "server"] = "callback",
    ) -> LogLine:
        return await self._hop(self._heart.append_log(user, identifier, text, source))

    # State

    async def snapshot(
        self, user: str, identifier: str | None
    ) -> tuple[list[SessionView], list[TaskView]]:
        """Of one session, or of all: their views, the tasks that are not completed (at most 500 a
        session) and the newest 50 completed. A session that there is not (yet) yields nothing."""
        return await self._hop(self._heart.pages.snapshot(user, identifier))

    async def views(
        self, user: str, sessions: set[str], tasks: set[tuple[str, int]]
    ) -> tuple[list[SessionView], list[TaskView]]:
        """The newest state of those that still exist."""
        return await self._hop(self._heart.pages.views_of(user, sessions, tasks))

    # Journal

    async def deliver(
        self,
        user: str,
        identifier: str,
        epoch: int,
        parked: bool,
        answers: list[Ask] = [],  # noqa: B006  # never changed
    ) -> None:
        """Checks the epoch (:class:`SessionInvalidated`); ``parked``: parked events can be handed
        out again, and what was asked and not answered is asked again; ``answers``: what the owner's
        delegate has methods for."""
        await self._hop(self._heart.deliver(user, identifier, epoch, parked, answers))

    async def deliver_again(self, user: str, identifier: str) -> SessionView:
        """Hand out the events again whose callbacks raised; to the owner that there is now, or to
        the next one. Raises :class:`TaskNotFound`."""
        return await self._hop(self._heart.deliver_again(user, identifier))

    async def events(
        self, user: str, identifier: str, epoch: int, *, after: int, limit: int
    ) -> list[Event]:
        """The next events that are neither acknowledged nor parked, in order. They count as sent:
        one that comes again is ``redelivered``."""
        return await self._hop(self._heart.events(user, identifier, epoch, after, limit))

    async def acknowledge(
        self, user: str, identifier: str, epoch: int, dealt: list[tuple[int, str | None]]
    ) -> None:
        """These events are dealt with: sequence numbers, and the traceback of a callback that
        raised (it is parked then). In one commit; idempotent."""
        await self._hop(self._heart.acknowledge(user, identifier, epoch, dealt))

    # The thread

    async def _hop(self, work: Coroutine[Any, Any, T]) -> T:
        if not self._thread.is_alive() or self._stop.is_set():
            work.close()
            raise ServerUnavailable("The transfer service is not running.")
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._translated(work), self._loop)
        )

    async def _translated(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            self._heart.check_open()
            return await work
        except BackgroundTransferError:
            raise
        except asyncio.CancelledError as e:
            if self._stop.is_set():
                raise ServerUnavailable("The transfer service is stopping.") from e
            raise
        except sqlite3.Error as e:
            log.exception("The ledger failed.")
            raise ServerUnavailable(f"The ledger cannot be used: {e}.") from e
        finally:
            work.close()

    def _emit(self, change: Change) -> None:
        for listener in list(self._listeners):
            try:
                listener(change)
            except Exception:
                log.exception("A listener failed.")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Before the loop runs, so that calls which are waiting for it already find it open.
        self._heart.open(self._loop)
        try:
            self._loop.run_until_complete(self._heart.live(self._stop))
        finally:
            self._heart.close(self._grace)
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()
