"""A task, as the notebook holds it: mirrors ``URLSessionTask``."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from jupyter_bgdl import errors
from jupyter_bgdl.kernel import display
from jupyter_bgdl.kernel.output import Place
from jupyter_bgdl.kernel.properties import Properties
from jupyter_bgdl.model import (
    ErrorView,
    Phase,
    ResponseView,
    TaskMetrics,
    TaskState,
    TaskView,
    WaitingFor,
)

if TYPE_CHECKING:
    from jupyter_bgdl.explanation import Explanation
    from jupyter_bgdl.kernel.session import Session


R = TypeVar("R")


class Progress(NamedTuple):
    """How far a task is."""

    received: int
    """Bytes; of an upload, those that were sent."""
    total: int | None
    """Bytes; None while the size is unknown."""
    rate: float
    """Bytes a second, mean of the last five seconds."""
    eta: float | None
    """Seconds that are left; None if nobody can know."""


class Task(Properties, ABC, Generic[R]):
    """Made by a session, never directly. What it shows is the newest that the server told."""

    def __init__(self, session: Session, view: TaskView) -> None:
        super().__init__()
        self._session = session
        self._view = view
        self._lock = threading.Lock()
        self._callbacks: list[tuple[Place, Callable[[Any], object]]] = []
        self.redelivered = False
        """Whether the event that is being handled was sent before, to a kernel that went away
        (or raised) before it acknowledged it: what the handler does may be done already."""

    @property
    def view(self) -> TaskView:
        """All that the server tells of it."""
        return self._view

    def update(self, view: TaskView) -> bool:
        """Take a view from the server, unless it is older; whether it was taken."""
        with self._lock:
            if view.revision < self._view.revision:
                return False
            self._view = view
        return True

    def forgotten(self) -> None:
        """Its session was purged: if it was not done, it was cancelled. The server says so, too,
        but it sends newest views only, and of what is gone there is none."""
        with self._lock:
            if self._view.state != TaskState.COMPLETED:
                self._view = replace(
                    self._view,
                    state=TaskState.COMPLETED,
                    phase=Phase.COMPLETED,
                    waiting_for=None,
                    error=ErrorView(errors.Cancelled.code, "The session was purged."),
                )

    @property
    def task_identifier(self) -> int:
        """Unique in its session."""
        return self._view.task_identifier

    @property
    def name(self) -> str:
        """The file's name, provisional until the server has answered."""
        return self._view.name

    @property
    def response(self) -> ResponseView | None:
        """Head of the response: status code, metadata; None before there is one."""
        return self._view.response

    @property
    def error(self) -> errors.TransferError | None:
        """Why it failed, or None."""
        return error_of(self._view)

    @property
    def state(self) -> TaskState:
        """``running``, ``suspended``, ``canceling`` or ``completed``."""
        return self._view.state

    @property
    def waiting_for(self) -> WaitingFor | None:
        """Why it does not run although it was resumed."""
        return self._view.waiting_for

    @property
    def progress(self) -> Progress:
        view = self._view
        eta = None
        if view.total is not None and view.rate > 0:
            eta = (view.total - view.received) / view.rate
        return Progress(view.received, view.total, view.rate, eta)

    @property
    def metrics(self) -> TaskMetrics | None:
        """What its requests took: per request when the name was looked up, the connection made
        and secured, the request sent, the response begun and ended. Asks the server; None before
        an attempt is over. Apple: ``URLSessionTaskMetrics``.
        """
        metrics = self._session.metrics_of(self.task_identifier)
        return metrics if metrics.transactions else None

    def explain(self) -> Explanation:
        """Why it does not run now (or is where it is), since when, until when, and what would
        change it. Asks the server; shows itself as text or as a table. What the scheduler decided
        before is in ``session.log()``. Apple: the background networking profile."""
        return self._session.explain_task(self.task_identifier)

    def resume(self) -> None:
        """Start, or go on; what was set meanwhile is sent first. Apple: ``resume()``."""
        self.send_properties()
        self._act("resume")
        self._session.resumed(self)

    def suspend(self) -> None:
        """Pause; bytes that are there are kept. Apple: ``suspend()``."""
        self._act("suspend")

    def cancel(self) -> None:
        """End it, and delete what was transferred. Returns at once; the task completes with
        :class:`~jupyter_bgdl.errors.Cancelled`. Apple: ``cancel()``."""
        self._act("cancel")

    def retry(self) -> None:
        """Open a failed or cancelled task again, as a new generation."""
        self._act("retry")

    def _act(self, action: str) -> None:
        self.update(self._session.call_task("POST", self.task_identifier, f"/{action}"))

    def result(self, timeout: float | None = None) -> R:
        """Wait until it is done, and return the file's path; of an upload, the response.

        ``timeout`` in seconds. The stop button ends the waiting, not the transfer. Handlers run
        while this waits, and have returned when it does. Raises the task's error, or StillRunning.
        """
        self._session.before_waiting()
        if not self._session.pump.wait(self.is_settled, timeout):
            raise errors.StillRunning(f"{self.name} is not done after {timeout} s; it goes on.")
        return self._outcome()

    def __await__(self) -> Generator[Any, None, R]:
        return self._finished().__await__()

    async def _finished(self) -> R:
        await self._session.before_waiting_async()
        await self._session.pump.until(self.is_settled)
        return self._outcome()

    def is_settled(self) -> bool:
        """Whether it is completed and, where this kernel hears events, they were handled."""
        view = self._view
        return view.state == TaskState.COMPLETED and self._session.has_heard(view)

    @abstractmethod
    def _outcome(self) -> R:
        """What waiting for it gives. Raises the task's error."""

    def add_done_callback(self, function: Callable[[Any], object]) -> None:
        """Call ``function(task)`` on the main thread when it is done; soon, if it is already.

        In every kernel that registers it, every time: for what has to happen once, use
        ``session.on_finish``.
        """
        if self.state == TaskState.COMPLETED:
            self._session.before_waiting()
        place = Place.here()
        with self._lock:
            self._callbacks.append((place, function))
        self._session.watch_callbacks(self)

    def run_callbacks(self) -> None:
        """On the main thread: call those that were added, each once."""
        with self._lock:
            due, self._callbacks = self._callbacks, []
        for place, function in due:
            try:
                place.run(partial(_call, function, self), self._session.note)
            except BaseException as error:  # noqa: BLE001 - shown and logged
                place.show_traceback(error, self._session.note)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return display.task_bundle(self._view, is_live=not self._session.is_in_process)

    def __repr__(self) -> str:
        line = display.task_line(self._view, time.time())
        return f"<{type(self).__name__} {self.task_identifier} {line}>"


def error_of(view: TaskView) -> errors.TransferError | None:
    """The exception that a completed task stands for."""
    told = view.error
    if told is None:
        return None
    kind = errors.by_code.get(told.code, errors.TransferError)
    if not issubclass(kind, errors.TransferError):
        kind = _also_transfer_error(kind)
    return kind(told.message)


def _call(function: Callable[[Any], object], task: Task[Any]) -> None:
    function(task)


def _also_transfer_error(
    kind: type[errors.BackgroundTransferError],
) -> type[errors.TransferError]:
    """What can also be refused at once (an existing destination) may happen to a transfer."""
    return type(kind.__name__, (kind, errors.TransferError), {"__module__": kind.__module__})
