"""A transfer session, as the notebook holds it: mirrors ``URLSession``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_bgdl import errors
from jupyter_bgdl.kernel import display, launch_cells
from jupyter_bgdl.kernel.attachment import AnyTask
from jupyter_bgdl.kernel.configuration import SessionConfiguration
from jupyter_bgdl.kernel.delegate import SessionDelegate
from jupyter_bgdl.kernel.downloads import DownloadTask
from jupyter_bgdl.kernel.handlers import Handler
from jupyter_bgdl.kernel.submitting import Submitting
from jupyter_bgdl.kernel.summary import Summary
from jupyter_bgdl.kernel.uploads import UploadTask
from jupyter_bgdl.model import (
    InvalidateRequest,
    LogLine,
    LogPage,
    TaskPage,
    TaskView,
)

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.widget import CoreWidget, SessionWidget

H = TypeVar("H", bound=Handler)
_PAGE = 1000


def background_session(
    identifier: str,
    *,
    delegate: SessionDelegate | None = None,
    take_over: bool = False,
    launch: str | None = None,
    server_url: str | None = None,
    token: str | None = None,
    **configuration: Any,
) -> Session:
    """The session of that name: made if it is new, found again if it is not.

    ``identifier``: 1 to 255 printable characters without "/"; a fixed string, since it is what
    finds the session again from another kernel. ``take_over`` makes this kernel the owner even
    if another one is. ``launch="module:function"`` names what the server calls in a fresh kernel
    when events wait and nobody is there to hear them; it has to make this session and its
    handlers. For a cell of a notebook use ``%%background_session``. ``configuration``: attributes
    of :class:`SessionConfiguration`. In a plain script, ``server_url`` and ``token`` say which
    Jupyter server to use.

    Raises ServerNotFound, ExtensionMissing, IncompatibleServer, OtherFilesystem, InvalidRequest,
    and LaunchError for a ``launch`` that can't be imported.
    """
    return Session(
        SessionConfiguration(identifier, **configuration),
        delegate,
        take_over=take_over,
        launch=launch,
        server_url=server_url,
        token=token,
    )


class Session(Submitting):
    """Creating it *is* attaching. The same identifier in one kernel gives the same object."""

    def __init__(
        self,
        configuration: SessionConfiguration,
        delegate: SessionDelegate | None = None,
        *,
        take_over: bool = False,
        launch: str | None = None,
        server_url: str | None = None,
        token: str | None = None,
    ) -> None:
        if launch is not None:
            launch_cells.check_target(launch)
        super().__init__(configuration, take_over=take_over, server_url=server_url, token=token)
        if launch is not None:
            launch_cells.register_target(self, launch)
        if delegate is not None:
            self._require_ownership()
            self.handlers.set_delegate(delegate)
            self.begin_delivery()

    def all_tasks(self, *, completed: bool = False) -> list[AnyTask]:
        """The tasks that are not done; with ``completed``, all. Apple: ``getAllTasks``."""
        views = self._pages("" if completed else "&completed=false")
        return [self.task_from(view) for view in views]

    def retry_failed(self) -> list[AnyTask]:
        """Retry every task that failed (not those that were cancelled)."""
        failed = [
            self.task_from(view)
            for view in self._pages("&completed=true")
            if view.error is not None and view.error.code != errors.Cancelled.code
        ]
        for task in failed:
            task.retry()
        return failed

    def _pages(self, query: str) -> Iterator[TaskView]:
        after: int | None = 0
        while after is not None:
            path = f"/tasks?after={after}&limit={_PAGE}{query}"
            page = self.call("GET", path, answer=TaskPage)
            yield from page.tasks
            after = page.next

    def log(self) -> list[LogLine]:
        """What callbacks printed and what the server did, oldest first."""
        lines: list[LogLine] = []
        while page := self.call(
            "GET", f"/log?after={lines[-1].number if lines else 0}", answer=LogPage
        ).lines:
            lines += page
        return lines

    def wait(self, timeout: float | None = None) -> Summary:
        """Wait until no task runs any more, while handlers are called.

        Suspended tasks are not waited for. Failed tasks don't raise: they are in the summary.
        ``timeout`` in seconds; raises StillRunning. The stop button ends the waiting only.
        """
        self.require_validity()
        self.before_waiting()
        if not self.pump.wait(self.is_settled, timeout):
            raise errors.StillRunning(f"{self.identifier} is not done after {timeout} s.")
        return self._summary()

    async def finished(self) -> Summary:
        """As :meth:`wait`, for ``await``."""
        self.require_validity()
        await self.before_waiting_async()
        await self.pump.until(self.is_settled)
        return self._summary()

    def _summary(self) -> Summary:
        if self.is_invalid:
            return self._summary_of(self.known_tasks())
        counts = self.view.counts
        failed: list[AnyTask] = []
        if counts.failed:
            failed = [
                self.task_from(view)
                for view in self._pages("&completed=true")
                if view.error is not None and view.error.code != errors.Cancelled.code
            ]
        return Summary(
            done=counts.done,
            failed=counts.failed,
            cancelled=counts.cancelled,
            suspended=counts.suspended,
            failed_tasks=failed,
        )

    def _summary_of(self, tasks: list[AnyTask]) -> Summary:
        """The server knows nothing of them any more."""
        unsuccessful = [task for task in tasks if task.error is not None]
        failed = [task for task in unsuccessful if not isinstance(task.error, errors.Cancelled)]
        cancelled = len(unsuccessful) - len(failed)
        done = len(tasks) - len(unsuccessful)
        return Summary(
            done=done, failed=len(failed), cancelled=cancelled, suspended=0, failed_tasks=failed
        )

    def finish_tasks_and_invalidate(self) -> None:
        """Take no more tasks, and end when those that are there are done. Returns at once.

        When all events were delivered, ``session_did_become_invalid`` is called, once, and the
        server forgets the session with its tasks and its log, never a finished file: its name is
        free again then. Until then it can be found again from other kernels, and making a task
        raises SessionInvalidated. Tasks that are suspended have to be resumed or cancelled, or it
        never ends. Raises SessionOwnedElsewhere. Apple: ``finishTasksAndInvalidate()``.
        """
        self._invalidate(cancel=False)

    def invalidate_and_cancel(self) -> None:
        """As :meth:`finish_tasks_and_invalidate`, but tasks that are not done are cancelled.
        Apple: ``invalidateAndCancel()``."""
        self._invalidate(cancel=True)

    def _invalidate(self, *, cancel: bool) -> None:
        self._require_ownership()
        delivery = self._delivery
        if delivery is None:
            return  # A rehearsal.
        self.call("POST", "/invalidate", InvalidateRequest(delivery.epoch, cancel))
        if not delivery.begun:
            delivery.begin()

    def on_finish(self, function: H) -> H:
        """Decorator: ``function(task, path)`` for each file that arrived. Once, across kernels."""
        return self._register("on_finish", function)

    def on_error(self, function: H) -> H:
        """Decorator: ``function(task, error)`` for each task that failed or was cancelled."""
        return self._register("on_error", function)

    def on_all_finished(self, function: H) -> H:
        """Decorator: ``function(session)`` when all is done and was delivered."""
        return self._register("on_all_finished", function)

    def _register(self, kind: str, function: H) -> H:
        self._require_ownership()
        self.handlers.set(kind, function)
        self.begin_delivery()
        return function

    def resumed(self, task: object) -> None:
        """A staged download needs somebody who takes the file; looked at when the cell ends."""
        if isinstance(task, DownloadTask | UploadTask):
            self.warn_of_date(task)
        is_staged = isinstance(task, DownloadTask) and task.view.destination is None
        if not is_staged or not self.is_owner:
            return
        assert isinstance(task, DownloadTask)
        if not hasattr(self, "_unclaimed"):
            self._unclaimed: list[DownloadTask] = []
            self.pump.on_cell_end(self._warn_of_unclaimed)
        self._unclaimed.append(task)

    def _warn_of_unclaimed(self) -> None:
        unclaimed, self._unclaimed = self._unclaimed, []
        if unclaimed and not self.handlers.takes_files:
            names = ", ".join(task.name for task in unclaimed)
            print(
                f"{names}: downloaded without to=, and session {self.identifier!r} has neither a "
                "delegate nor an on_finish handler that takes the file. Register one; until then "
                "the file waits.",
                file=sys.stderr,
            )

    def widget(self, *, core: bool | None = None) -> SessionWidget | CoreWidget:
        """An ipywidget that shows the session, for ``VBox([...])`` and dashboards.

        ``core=True`` uses plain ipywidgets, for front ends that don't load our extension; that
        is the default in VS Code, which is known by its environment variables, and without a
        Jupyter server.
        """
        from jupyter_bgdl.kernel.widget import widget_of

        if core is None:
            core = self.is_in_process or "VSCODE_PID" in os.environ
        return widget_of(self, core=core)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        tasks = [task.view for task in self.known_tasks()]
        return display.session_bundle(self.view, tasks, is_live=not self.is_in_process)

    def __repr__(self) -> str:
        return f"<Session {display.session_line(self.view, time.time())}>"
