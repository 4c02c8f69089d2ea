"""A transfer session, as the notebook holds it: mirrors ``URLSession``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_bgdl import errors
from jupyter_bgdl.kernel import display, files
from jupyter_bgdl.kernel.attachment import AnyTask, Attachment
from jupyter_bgdl.kernel.configuration import SessionConfiguration
from jupyter_bgdl.kernel.delegate import SessionDelegate
from jupyter_bgdl.kernel.downloads import DownloadTask
from jupyter_bgdl.kernel.handlers import Handler
from jupyter_bgdl.kernel.spec import Source, moment_of, spec_of, upload_spec_of
from jupyter_bgdl.kernel.summary import Summary
from jupyter_bgdl.kernel.uploads import UploadTask
from jupyter_bgdl.model import (
    LogLine,
    LogPage,
    Request,
    SubmitReply,
    SubmitRequest,
    TaskPage,
    TaskSpec,
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
    server_url: str | None = None,
    token: str | None = None,
    **configuration: Any,
) -> Session:
    """The session of that name: made if it is new, found again if it is not.

    ``identifier``: 1 to 255 printable characters without "/"; a fixed string, since it is what
    finds the session again from another kernel. ``take_over`` makes this kernel the owner even
    if another one is. ``configuration``: attributes of :class:`SessionConfiguration`. In a plain
    script, ``server_url`` and ``token`` say which Jupyter server to use.

    Raises ServerNotFound, ExtensionMissing, IncompatibleServer, OtherFilesystem, InvalidRequest.
    """
    return Session(
        SessionConfiguration(identifier, **configuration),
        delegate,
        take_over=take_over,
        server_url=server_url,
        token=token,
    )


class Session(Attachment):
    """Creating it *is* attaching. The same identifier in one kernel gives the same object."""

    def __init__(
        self,
        configuration: SessionConfiguration,
        delegate: SessionDelegate | None = None,
        *,
        take_over: bool = False,
        server_url: str | None = None,
        token: str | None = None,
    ) -> None:
        super().__init__(configuration, take_over=take_over, server_url=server_url, token=token)
        if delegate is not None:
            self._require_ownership()
            self.handlers.set_delegate(delegate)
            self.begin_delivery()

    def download(
        self,
        source: Source,
        to: str | os.PathLike[str] = ".",
        *,
        mirrors: Iterable[str] = (),
        checksum: str | None = None,
        size: int | None = None,
        headers: dict[str, str] | None = None,
        if_exists: str = "keep",
        key: str | None = None,
        accept_html: bool = False,
        allow_downgrade: bool = False,
        verify: bool = True,
        task_description: str = "",
        earliest_begin_date: datetime | timedelta | None = None,
        count_of_bytes_client_expects_to_receive: int | None = None,
    ) -> DownloadTask:
        """Start a download, or find the one that this cell started before.

        ``to`` is relative to the working folder; missing folders are made; a trailing slash or
        an existing folder means *in there*, under the safe suggested name. ``checksum`` is
        ``"sha256:<hex>"`` (or sha512, sha1, md5, blake2b), ``size`` the exact number of bytes.
        ``if_exists``: ``"keep"`` (a file that this session put there and that is unchanged counts
        as done, any other raises), ``"update"``, ``"replace"`` or ``"rename"``. ``key`` finds the
        task again where the URL varies. ``accept_html``: a web page is what you want.
        ``allow_downgrade``: follow a redirect from https to http. ``verify``: check TLS
        certificates.

        ``"update"``: the file is replaced if the source changed since, by its strong ETag or
        Last-Modified (RFC 9110, 13.1.2 and 13.1.3), or if it has not the ``checksum``; without
        any of these it is fetched again. A look that finds the source unchanged is a new
        generation, which completes with the file that is there: ``on_finish`` is called. A file
        that has the ``checksum`` is not even asked for.

        ``earliest_begin_date``: not before this moment of the server's wall clock (an aware
        datetime, or a timedelta from now), as ``URLSessionTask.earliestBeginDate``.
        ``count_of_bytes_client_expects_to_receive``: an upper bound, for which room on the disk
        is waited for; more is no error.

        ``mirrors`` are other URLs of the same file: they are asked if the source fails, and beside
        it where several connections are faster. One that turns out to have another file, by its
        length or by a sample of its bytes, is dropped, and the session's log says so; only a
        ``checksum`` proves the whole. Headers and a password are not sent to other origins.

        A failed or cancelled task is retried, one whose file is gone is fetched again.
        Raises InvalidRequest, DestinationExists, DestinationNotAllowed.
        """
        destination = files.resolve_destination(to)
        spec = spec_of(
            source,
            headers,
            mirrors=list(mirrors),
            destination=destination,
            checksum=checksum,
            size=size,
            if_exists=if_exists,
            key=key,
            accept_html=accept_html,
            allow_downgrade=allow_downgrade,
            verify=verify,
            description=task_description,
            earliest_begin_date=moment_of(earliest_begin_date),
            count_of_bytes_client_expects_to_receive=count_of_bytes_client_expects_to_receive,
        )
        return self._downloads([spec])[0]

    def download_all(
        self,
        sources: Iterable[Source],
        to: str | os.PathLike[str] = ".",
        *,
        headers: dict[str, str] | None = None,
        if_exists: str = "keep",
        accept_html: bool = False,
        allow_downgrade: bool = False,
        verify: bool = True,
        task_description: str = "",
    ) -> list[DownloadTask]:
        """As :meth:`download` for each source, all into the folder ``to``: all or none."""
        if isinstance(sources, Source):
            raise errors.InvalidRequest("download_all() takes several sources; see download().")
        destination = files.resolve_destination(to, folder=True)
        specs = [
            spec_of(
                source,
                headers,
                destination=destination,
                if_exists=if_exists,
                accept_html=accept_html,
                allow_downgrade=allow_downgrade,
                verify=verify,
                description=task_description,
            )
            for source in sources
        ]
        return self._downloads(specs) if specs else []

    def download_task(
        self, url_or_request: Source, *, to: str | os.PathLike[str] | None = None
    ) -> DownloadTask:
        """A download that is born suspended: call its ``resume()``.

        Without ``to`` the body is staged, whatever the status, and offered to the delegate or to
        ``on_finish``, of which one is needed. Apple: ``downloadTask(with:)``.
        """
        destination = None if to is None else files.resolve_destination(to)
        staging = None
        if to is None:
            chosen = self.options.get("staging_directory")
            staging = str(Path(chosen).absolute()) if chosen else files.default_staging()
        spec = spec_of(url_or_request, None, destination=destination, staging=staging, resume=False)
        return self._downloads([spec])[0]

    def upload_task(self, request: Request, *, from_file: str | os.PathLike[str]) -> UploadTask:
        """An upload that is born suspended: call its ``resume()``.

        ``request`` has the method: PUT, POST or PATCH. Its body is the file at ``from_file``
        (relative to the working folder), which must not change until the task is completed: only
        a file is still there when this kernel is gone. Where the server offers it (tus 1.0, or
        the IETF's resumable uploads) an interrupted upload goes on; else a PUT begins again, and
        a POST or PATCH whose answer was lost fails rather than be repeated.

        ``await`` it, or ``result()``, for the response. An HTTP status is no error: look at
        ``task.response.status_code``, and ``task.response.content``.

        The same request and file find the same task; a failed one is retried, and one whose file
        has changed since is sent again. Raises InvalidRequest for what can't be sent.
        Apple: ``uploadTask(with:fromFile:)``.
        """
        task = self._submit([upload_spec_of(request, from_file)])[0]
        assert isinstance(task, UploadTask)
        return task

    def _downloads(self, specs: list[TaskSpec]) -> list[DownloadTask]:
        return [task for task in self._submit(specs) if isinstance(task, DownloadTask)]

    def _submit(self, specs: list[TaskSpec]) -> list[AnyTask]:
        reply = self._call("POST", "/tasks", SubmitRequest(specs), answer=SubmitReply)
        return [self.task_from(submitted.task) for submitted in reply.tasks]

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
            page = self._call("GET", path, answer=TaskPage)
            yield from page.tasks
            after = page.next

    def log(self) -> list[LogLine]:
        """What callbacks printed and what the server did, oldest first."""
        lines: list[LogLine] = []
        while page := self._call(
            "GET", f"/log?after={lines[-1].number if lines else 0}", answer=LogPage
        ).lines:
            lines += page
        return lines

    def wait(self, timeout: float | None = None) -> Summary:
        """Wait until no task runs any more, while handlers are called.

        Suspended tasks are not waited for. Failed tasks don't raise: they are in the summary.
        ``timeout`` in seconds; raises StillRunning. The stop button ends the waiting only.
        """
        self.before_waiting()
        if not self.pump.wait(self.is_settled, timeout):
            raise errors.StillRunning(f"{self.identifier} is not done after {timeout} s.")
        return self._summary()

    async def finished(self) -> Summary:
        """As :meth:`wait`, for ``await``."""
        await self.before_waiting_async()
        await self.pump.until(self.is_settled)
        return self._summary()

    def _summary(self) -> Summary:
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
        is the default in VS Code, which is known by its environment variables.
        """
        from jupyter_bgdl.kernel.widget import widget_of

        return widget_of(self, core="VSCODE_PID" in os.environ if core is None else core)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return display.session_bundle(self.view, [task.view for task in self.known_tasks()])

    def __repr__(self) -> str:
        return f"<Session {display.session_line(self.view, time.time())}>"
