"""Who hears of a session's events: a delegate, or functions that were decorated."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_bgdl.asks import Ask, Challenge
from jupyter_bgdl.errors import BackgroundTransferError, InvalidRequest, TransferError
from jupyter_bgdl.kernel.asking import ASKS
from jupyter_bgdl.kernel.delegate import SessionDelegate
from jupyter_bgdl.kernel.downloads import DownloadTask
from jupyter_bgdl.kernel.output import Place
from jupyter_bgdl.kernel.task import error_of
from jupyter_bgdl.kernel.uploads import UploadTask
from jupyter_bgdl.model import Event, EventKind, Request, TaskView, WaitingFor

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.attachment import AnyTask
    from jupyter_bgdl.kernel.session import Session

Handler = Callable[..., Any]
Call = Callable[[], Awaitable[None] | None]

_WRITTEN = "download_task_did_write_data"
_SENT = "task_did_send_body_data"
_METRICS = "task_did_finish_collecting_metrics"
_WAITING = "task_is_waiting_for_connectivity"
_RESUMED = "download_task_did_resume"


class Handlers:
    """Of one session. Registering again replaces; delegate and decorators exclude each other."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._delegate: SessionDelegate | None = None
        self._functions: dict[str, Handler] = {}
        self._places: dict[str, Place] = {}
        self._told_resumed: dict[tuple[int, int], object] = {}
        """Tasks and generations that were said to go on from resume data."""

    @property
    def any(self) -> bool:
        return self._delegate is not None or bool(self._functions)

    @property
    def takes_files(self) -> bool:
        """Whether somebody would take a staged file."""
        return self._delegate is not None or "on_finish" in self._functions

    @property
    def answers(self) -> list[Ask]:
        """What the delegate has methods for."""
        return [kind.value for kind, name in ASKS.items() if self._has(name)]  # type: ignore[misc]

    @property
    def wants_progress(self) -> bool:
        return self._has(_WRITTEN) or self._has(_SENT)

    def set_delegate(self, delegate: SessionDelegate) -> None:
        if not isinstance(delegate, SessionDelegate):
            raise TypeError(
                "A delegate is an instance of a class that inherits from SessionDelegate, "
                f"not {delegate!r}."
            )
        if self._functions:
            raise InvalidRequest("This session has decorated handlers; it can't have a delegate.")
        self._delegate = delegate
        self._places["delegate"] = Place.here()

    def set(self, kind: str, function: Handler) -> None:
        if not callable(function):
            raise TypeError(f"{kind} decorates a function, not {function!r}.")
        if self._delegate is not None:
            raise InvalidRequest(f"This session has a delegate; it can't have {kind}, too.")
        self._functions[kind] = function
        self._places[kind] = Place.here()

    def calls(self, event: Event, task: AnyTask | None) -> list[tuple[Place, Call]]:
        """What to call for an event, each in the place (cell) where it was registered. Of a
        session that ends although nobody ever listened, there is nothing to call."""
        if not self.any:
            return []
        if event.kind in ASKS:
            assert task is not None
            return [self._ask(event, task)]
        if self._delegate is not None:
            place = self._places["delegate"]
            calls = [(place, self._delegate_call(self._delegate, event, task))]
            if event.kind == EventKind.COMPLETED and self._has(_METRICS):
                assert task is not None
                calls.insert(0, (place, self._metrics_call(self._delegate, task)))
            if isinstance(task, DownloadTask) and event.task is not None:
                # It may have been too quick for the state to show it.
                calls = [*self._resumed(self._delegate, task, event.task), *calls]
            return calls
        session, function = self._session, self._functions
        if event.kind == EventKind.SESSION_FINISHED:
            return self._call("on_all_finished", session)
        if event.kind == EventKind.SESSION_INVALID:
            return []
        assert task is not None
        assert event.task is not None
        if event.kind == EventKind.FINISHED_DOWNLOADING:
            return self._call("on_finish", task, Path(event.task.path or ""))
        error = error_of(event.task)
        if error is None:
            return []
        if "on_error" not in function:
            return [(self._somewhere(), lambda: _show(session.identifier, task.name, error))]
        return self._call("on_error", task, error)

    def invalid_call(self) -> tuple[Place, Call] | None:
        """What to call when the session was taken over."""
        delegate = self._delegate
        if delegate is None:
            return None
        return (
            self._places["delegate"],
            lambda: _awaitable(delegate.session_did_become_invalid(self._session)),  # type: ignore[func-returns-value]
        )

    def state_calls(
        self, task: AnyTask, before: TaskView, now: TaskView
    ) -> list[tuple[Place, Call]]:
        """What to call because the newest view of a task differs from the one before."""
        delegate, calls = self._delegate, []
        if delegate is None:
            return []
        if isinstance(task, DownloadTask) and before.resumed_at is None:
            calls = self._resumed(delegate, task, now)
        began = now.waiting_for is WaitingFor.NETWORK is not before.waiting_for
        if began and self._has(_WAITING):
            session = self._session
            calls.append(
                (
                    self._places["delegate"],
                    lambda: _awaitable(
                        delegate.task_is_waiting_for_connectivity(session, task)  # type: ignore[func-returns-value]
                    ),
                )
            )
        return calls

    def _resumed(
        self, delegate: SessionDelegate, task: DownloadTask, view: TaskView
    ) -> list[tuple[Place, Call]]:
        key, offset, session = (
            (view.task_identifier, view.generation),
            view.resumed_at,
            self._session,
        )
        if offset is None or not self._has(_RESUMED):
            return []
        mark = object()
        if self._told_resumed.setdefault(key, mark) is not mark:
            return []
        return [
            (
                self._places["delegate"],
                lambda: _awaitable(
                    delegate.download_task_did_resume(session, task, offset, view.total)  # type: ignore[func-returns-value]
                ),
            )
        ]

    def progress_call(self, task: AnyTask) -> tuple[Place, Call] | None:
        delegate = self._delegate
        if delegate is None:
            return None
        session, view = self._session, task.view
        if isinstance(task, UploadTask):
            total = view.total or 0
            return (
                self._places["delegate"],
                lambda: _awaitable(
                    delegate.task_did_send_body_data(  # type: ignore[func-returns-value]
                        session, task, task.sent_since(view.received), view.received, total
                    )
                ),
            )
        return (
            self._places["delegate"],
            lambda: _awaitable(
                delegate.download_task_did_write_data(  # type: ignore[func-returns-value]
                    session, task, view.received, view.total
                )
            ),
        )

    def _call(self, kind: str, *arguments: object) -> list[tuple[Place, Call]]:
        if kind not in self._functions:
            return []
        function = self._functions[kind]
        return [(self._places[kind], lambda: _awaitable(function(*arguments)))]

    def _delegate_call(self, delegate: SessionDelegate, event: Event, task: AnyTask | None) -> Call:
        session = self._session
        if event.kind == EventKind.SESSION_FINISHED:
            return lambda: _awaitable(delegate.session_did_finish_events(session))  # type: ignore[func-returns-value]
        if event.kind == EventKind.SESSION_INVALID:
            return lambda: _awaitable(delegate.session_did_become_invalid(session))  # type: ignore[func-returns-value]
        assert task is not None
        assert event.task is not None
        if event.kind == EventKind.FINISHED_DOWNLOADING:
            assert isinstance(task, DownloadTask)
            path = Path(event.task.path or "")
            return lambda: _awaitable(
                delegate.download_task_did_finish_downloading(session, task, path)  # type: ignore[func-returns-value]
            )
        error = error_of(event.task)
        return lambda: _awaitable(delegate.task_did_complete(session, task, error))  # type: ignore[func-returns-value]

    def _ask(self, event: Event, task: AnyTask) -> tuple[Place, Call]:
        session, delegate, name = self._session, self._delegate, ASKS[event.kind]
        if delegate is None or not self._has(name):
            if event.kind is EventKind.CHALLENGE:
                return self._somewhere(), lambda: _show_challenge(session.identifier, task)
            return self._somewhere(), lambda: session.answer(event, None)
        about: Challenge | Request | None = task.original_request
        if event.kind is EventKind.CHALLENGE:
            about = event.task.challenge if event.task is not None else None
        method = getattr(delegate, name)

        async def later(given: Awaitable[object]) -> None:
            session.answer(event, await given)

        def call() -> Awaitable[None] | None:
            given = method(session, task, about)
            if inspect.isawaitable(given):
                return later(given)
            session.answer(event, given)
            return None

        return self._places["delegate"], call

    def _metrics_call(self, delegate: SessionDelegate, task: AnyTask) -> Call:
        """They are asked for only if somebody wants them."""

        def call() -> Awaitable[None] | None:
            try:
                metrics = task.metrics
            except BackgroundTransferError:
                return None
            if metrics is None:
                return None
            return _awaitable(
                delegate.task_did_finish_collecting_metrics(self._session, task, metrics)  # type: ignore[func-returns-value]
            )

        return call

    def _has(self, name: str) -> bool:
        """Whether the delegate has a method of its own of this name."""
        return self._delegate is not None and getattr(type(self._delegate), name) is not getattr(
            SessionDelegate, name
        )

    def _somewhere(self) -> Place:
        return next(iter(self._places.values()))


def _awaitable(result: object) -> Awaitable[None] | None:
    return result if inspect.isawaitable(result) else None


def _show_challenge(session: str, task: AnyTask) -> None:
    challenge = task.view.challenge
    if challenge is not None:
        print(
            f"{session}: {task.name} waits for credentials: {challenge.reason}. Run the cell that "
            "made it again with new headers, or give the session a delegate that has "
            "task_did_receive_challenge.",
            file=sys.stderr,
        )


def _show(session: str, name: str, error: TransferError) -> None:
    print(f"{session}: {name} failed: {error}", file=sys.stderr)
