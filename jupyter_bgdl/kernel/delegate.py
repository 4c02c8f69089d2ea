"""What a session tells: mirrors ``URLSessionDelegate`` and its kin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_bgdl.asks import Challenge
    from jupyter_bgdl.errors import TransferError
    from jupyter_bgdl.kernel.downloads import DownloadTask
    from jupyter_bgdl.kernel.session import Session
    from jupyter_bgdl.kernel.uploads import UploadTask
    from jupyter_bgdl.model import Request, ResponseView, TaskMetrics

_PREFIXES = ("session_", "task_", "download_task_")


class SessionDelegate:
    """Base of your delegate; every method does nothing.

    Methods are called on the kernel's main thread, between cells, in the order in which things
    happened, and may be ``async def``. Per task: *finish downloading*, *metrics*,
    then *complete*.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in vars(cls):
            if name.startswith(_PREFIXES) and not hasattr(SessionDelegate, name):
                known = [n for n in vars(SessionDelegate) if n.startswith(_PREFIXES)]
                raise TypeError(f"A delegate has no method {name!r}. There are: {', '.join(known)}")

    def session_did_finish_events(self, session: Session) -> None:
        """All tasks are done and all their events were delivered; again after later tasks.

        Apple: ``urlSessionDidFinishEvents(forBackgroundURLSession:)``.
        """

    def session_did_become_invalid(self, session: Session) -> None:
        """The last event: all others were delivered after ``finish_tasks_and_invalidate()`` or
        ``invalidate_and_cancel()``, or another kernel took the session over. This object is of no
        more use; if it was invalidated, its name is free when this method has returned.

        Apple: ``urlSession(_:didBecomeInvalidWithError:)``.
        """

    def task_did_receive_challenge(
        self, session: Session, task: DownloadTask | UploadTask, challenge: Challenge
    ) -> Request | Mapping[str, str] | str | None:
        """The server wants a login (401), or what let the task in has expired (403 to a signed
        address, or after bytes had come). The task waits for credentials, and keeps its bytes.

        Return headers (a dict, laid over those that it has), a fresh URL, or a
        :class:`~jupyter_bgdl.Request` with both, and it goes on where it was, if the file is still
        the same. None: it goes on waiting; you are asked again when a delegate is registered, and
        a cell that submits it again with new headers takes it up. ``task.cancel()`` ends it.
        ``challenge``: host, status code, how often that failed since bytes came. Without this
        method the task waits. May be ``async def``.

        Apple: ``urlSession(_:task:didReceive:completionHandler:)``.
        """

    def task_will_begin_delayed_request(
        self, session: Session, task: DownloadTask | UploadTask, request: Request
    ) -> Request | Mapping[str, str] | str | None:
        """The task's :attr:`earliest_begin_date` has come. ``request``: what it would ask for,
        without secrets.

        Return None to let it begin, or what it is to ask for instead: a fresh signed URL, headers,
        or a :class:`~jupyter_bgdl.Request`. ``task.cancel()`` ends it. If nobody answers within
        five minutes it begins by itself; without a kernel the session's launch cell is run.
        Without this method it begins at once.

        Apple: ``urlSession(_:task:willBeginDelayedRequest:completionHandler:)``.
        """

    def task_is_waiting_for_connectivity(
        self, session: Session, task: DownloadTask | UploadTask
    ) -> None:
        """The network is away: the task has begun to wait for it, and goes on by itself. At most
        five times a second, never replayed.

        Apple: ``urlSession(_:taskIsWaitingForConnectivity:)``, which background sessions never
        call; here they do, since :attr:`waiting_for` is shown anyway.
        """

    def task_will_perform_http_redirection(
        self,
        session: Session,
        task: DownloadTask | UploadTask,
        response: ResponseView,
        new_request: Request,
    ) -> None:
        """Never called: the server, which follows redirects, asks nobody, as Apple's background
        sessions. Look at ``task.current_request`` and ``task.metrics``.

        Apple: ``urlSession(_:task:willPerformHTTPRedirection:newRequest:)``.
        """

    def task_did_complete(
        self, session: Session, task: DownloadTask | UploadTask, error: TransferError | None
    ) -> None:
        """The last event of a task. ``error`` is None when it went well.

        Apple: ``urlSession(_:task:didCompleteWithError:)``.
        """

    def task_did_finish_collecting_metrics(
        self, session: Session, task: DownloadTask | UploadTask, metrics: TaskMetrics
    ) -> None:
        """Right before :meth:`task_did_complete`: what the requests of the task took. Left out
        where it asked for nothing, or the server no longer knows.

        Apple: ``urlSession(_:task:didFinishCollecting:)``.
        """

    def task_did_send_body_data(
        self,
        session: Session,
        task: UploadTask,
        bytes_sent: int,
        total_bytes_sent: int,
        total_bytes_expected_to_send: int,
    ) -> None:
        """Bytes of an upload were sent: at most five times a second, the newest only, never
        replayed. ``bytes_sent``: since the last call.

        Apple: ``urlSession(_:task:didSendBodyData:totalBytesSent:totalBytesExpectedToSend:)``.
        """

    def download_task_did_write_data(
        self, session: Session, task: DownloadTask, received: int, total: int | None
    ) -> None:
        """Bytes arrived: at most five times a second, the newest only, never replayed.

        Apple: ``urlSession(_:downloadTask:didWriteData:…)``.
        """

    def download_task_did_resume(
        self,
        session: Session,
        task: DownloadTask,
        file_offset: int,
        expected_total_bytes: int | None,
    ) -> None:
        """A download that was made from resume data goes on: ``file_offset`` bytes of it are
        there. Not called if it had to begin anew. Before the other methods of the task; again in a
        kernel that was restarted.

        Apple: ``urlSession(_:downloadTask:didResumeAtOffset:expectedTotalBytes:)``.
        """

    def download_task_did_finish_downloading(
        self, session: Session, task: DownloadTask, location: Path
    ) -> None:
        """The body is at ``location``. Look at ``task.response``: an error page is a body, too.

        Without ``to=`` the file is valid until this method returns: use ``task.move_to()``.
        Apple: ``urlSession(_:downloadTask:didFinishDownloadingTo:)``.
        """
