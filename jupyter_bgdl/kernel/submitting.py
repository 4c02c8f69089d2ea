"""How a session is handed work: downloads and uploads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_bgdl.environment import names_in
from jupyter_bgdl.errors import InvalidRequest, InvalidResumeData
from jupyter_bgdl.kernel import files, launching
from jupyter_bgdl.kernel.asking import variables
from jupyter_bgdl.kernel.attachment import AnyTask, Attachment
from jupyter_bgdl.kernel.downloads import DownloadTask
from jupyter_bgdl.kernel.spec import Source, each, properties_of, spec_of, upload_spec_of
from jupyter_bgdl.kernel.uploads import UploadTask
from jupyter_bgdl.model import Request, SubmitReply, SubmitRequest, Submitted, TaskSpec
from jupyter_bgdl.properties import DEFAULT_PRIORITY, TaskChange
from jupyter_bgdl.resume_data import ResumeRequest

_BORN = properties_of("", DEFAULT_PRIORITY, None, None, None)


class Submitting(Attachment):
    """Base of a session: everything that makes tasks."""

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
        priority: float = DEFAULT_PRIORITY,
        earliest_begin_date: datetime | timedelta | None = None,
        count_of_bytes_client_expects_to_send: int | None = None,
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

        ``task_description``, ``priority``, ``earliest_begin_date`` and the expected counts are
        properties of the task: see there. A task that is found takes those that are given anew,
        but for the date.

        ``mirrors`` are other URLs of the same file: they are asked if the source fails, and beside
        it where several connections are faster. One that turns out to have another file, by its
        length or by a sample of its bytes, is dropped, and the session's log says so; only a
        ``checksum`` proves the whole. Headers and a password are not sent to other origins.

        A failed or cancelled task is retried, one whose file is gone is fetched again.
        Raises InvalidRequest, DestinationExists, DestinationNotAllowed.
        """
        spec = spec_of(
            source,
            headers,
            mirrors=list(mirrors),
            destination=files.resolve_destination(to),
            checksum=checksum,
            size=size,
            if_exists=if_exists,
            key=key,
            accept_html=accept_html,
            allow_downgrade=allow_downgrade,
            verify=verify,
            **properties_of(
                task_description,
                priority,
                earliest_begin_date,
                count_of_bytes_client_expects_to_send,
                count_of_bytes_client_expects_to_receive,
            ),
        )
        return self._downloads([spec])[0]

    def download_all(
        self,
        sources: Iterable[Source],
        to: str | os.PathLike[str] = ".",
        *,
        mirrors: Mapping[str, Iterable[str]] | Sequence[Iterable[str]] = (),
        checksum: Mapping[str, str] | Sequence[str | None] = (),
        size: Mapping[str, int] | Sequence[int | None] = (),
        headers: dict[str, str] | None = None,
        if_exists: str = "keep",
        key: Mapping[str, str] | Sequence[str | None] = (),
        accept_html: bool = False,
        allow_downgrade: bool = False,
        verify: bool = True,
        task_description: str = "",
        priority: float = DEFAULT_PRIORITY,
        earliest_begin_date: datetime | timedelta | None = None,
        count_of_bytes_client_expects_to_send: int | None = None,
        count_of_bytes_client_expects_to_receive: int | None = None,
    ) -> list[DownloadTask]:
        """As :meth:`download` for each source, all into the folder ``to``: all or none.

        ``checksum``, ``size``, ``mirrors`` and ``key`` are each source's own: a dict by URL, in
        which sources may be missing, or a list in the order of the sources.
        """
        if isinstance(sources, Source):
            raise InvalidRequest("download_all() takes several sources; see download().")
        destination = files.resolve_destination(to, folder=True)
        properties = properties_of(
            task_description,
            priority,
            earliest_begin_date,
            count_of_bytes_client_expects_to_send,
            count_of_bytes_client_expects_to_receive,
        )
        given = list(sources)
        own = zip(
            given,
            each("mirrors", mirrors, given),
            each("checksum", checksum, given),
            each("size", size, given),
            each("key", key, given),
            strict=True,
        )
        specs = [
            spec_of(
                source,
                headers,
                mirrors=list(others or ()),
                destination=destination,
                checksum=digest,
                size=length,
                if_exists=if_exists,
                key=name,
                accept_html=accept_html,
                allow_downgrade=allow_downgrade,
                verify=verify,
                **properties,
            )
            for source, others, digest, length, name in own
        ]
        return self._downloads(specs) if specs else []

    def download_task(
        self,
        url_or_request: Source | None = None,
        *,
        to: str | os.PathLike[str] | None = None,
        resume_data: bytes | None = None,
        task_description: str = "",
        priority: float = DEFAULT_PRIORITY,
        earliest_begin_date: datetime | timedelta | None = None,
        count_of_bytes_client_expects_to_send: int | None = None,
        count_of_bytes_client_expects_to_receive: int | None = None,
    ) -> DownloadTask:
        """A download that is born suspended: set its properties, then call its ``resume()``.

        Without ``to`` the body is staged, whatever the status, and offered to the delegate or to
        ``on_finish``, of which one is needed. Apple: ``downloadTask(with:)``.

        ``resume_data``, instead of a URL: go on with a download that was cancelled by
        ``cancel_by_producing_resume_data()``, to the same place unless there is ``to``; where the
        server has another file by now it begins anew. Raises InvalidResumeData for data that was
        altered or used, or whose bytes are gone. Apple: ``downloadTask(withResumeData:)``.
        """
        destination = None if to is None else files.resolve_destination(to)
        staging = self._staging() if to is None else None
        properties = properties_of(
            task_description,
            priority,
            earliest_begin_date,
            count_of_bytes_client_expects_to_send,
            count_of_bytes_client_expects_to_receive,
        )
        if (url_or_request is None) == (resume_data is None):
            raise InvalidRequest("download_task() takes either a URL or Request, or resume_data=.")
        if url_or_request is None:
            return self._resumed(resume_data, destination, staging, properties)
        spec = spec_of(
            url_or_request,
            None,
            destination=destination,
            staging=staging,
            resume=False,
            **properties,
        )
        return self._downloads([spec])[0]

    def upload_task(
        self,
        request: Request,
        *,
        from_file: str | os.PathLike[str],
        task_description: str = "",
        priority: float = DEFAULT_PRIORITY,
        earliest_begin_date: datetime | timedelta | None = None,
        count_of_bytes_client_expects_to_send: int | None = None,
        count_of_bytes_client_expects_to_receive: int | None = None,
    ) -> UploadTask:
        """An upload that is born suspended: set its properties, then call its ``resume()``.

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
        spec = upload_spec_of(
            request,
            from_file,
            **properties_of(
                task_description,
                priority,
                earliest_begin_date,
                count_of_bytes_client_expects_to_send,
                count_of_bytes_client_expects_to_receive,
            ),
        )
        task = self._submit([spec])[0]
        assert isinstance(task, UploadTask)
        return task

    def _resumed(
        self,
        resume_data: bytes | None,
        destination: str | None,
        staging: str | None,
        properties: dict[str, Any],
    ) -> DownloadTask:
        if not isinstance(resume_data, bytes):
            raise InvalidResumeData("Resume data is the bytes that a cancelled task gave.")
        try:
            token = resume_data.decode("ascii")
        except UnicodeDecodeError:
            token = ""
        if not 0 < len(token) < 256:
            raise InvalidResumeData("This is no resume data, or it was altered.")
        given = {name: value for name, value in properties.items() if value != _BORN[name]}
        request = ResumeRequest(
            resume_data=token,
            destination=destination,
            staging=staging,
            properties=TaskChange(**given),
        )
        task = self.task_from(self.call("POST", "/resumed", request, answer=Submitted).task)
        assert isinstance(task, DownloadTask)
        return task

    def _staging(self) -> str:
        chosen = self.options.get("staging_directory")
        return str(Path(chosen).absolute()) if chosen else files.default_staging()

    def _downloads(self, specs: list[TaskSpec]) -> list[DownloadTask]:
        return [task for task in self._submit(specs) if isinstance(task, DownloadTask)]

    def _submit(self, specs: list[TaskSpec]) -> list[AnyTask]:
        named = set().union(*(names_in(spec.request.headers) for spec in specs))
        if named:
            self.give_environment(variables(named))
        request = SubmitRequest(specs, find_only=launching.is_launching())
        reply = self.call("POST", "/tasks", request, answer=SubmitReply)
        tasks = [self.task_from(submitted.task) for submitted in reply.tasks]
        for task in tasks:
            self.warn_of_date(task)
        return tasks
