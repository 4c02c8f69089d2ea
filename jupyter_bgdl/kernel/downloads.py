"""A download: mirrors ``URLSessionDownloadTask``."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_bgdl import errors
from jupyter_bgdl.kernel import files
from jupyter_bgdl.kernel.task import Task
from jupyter_bgdl.model import MovedRequest
from jupyter_bgdl.resume_data import CancelReply


class DownloadTask(Task[Path]):
    """Made by a session, never directly."""

    @property
    def path(self) -> Path | None:
        """Where the file is; None before it is there."""
        return Path(self._view.path) if self._view.path else None

    def _outcome(self) -> Path:
        if error := self.error:
            raise error
        if self._view.destination is None:
            raise errors.InvalidRequest(
                f"{self.name} was downloaded without to=, so its file is handed to the session's "
                "handler or delegate, which moves it with task.move_to()."
            )
        assert self.path is not None
        return self.path

    def cancel_by_producing_resume_data(self) -> bytes | None:
        """Cancel it, but keep what was fetched: ``download_task(resume_data=…)`` goes on from
        there, in any session of yours, once, within 30 days.

        Returns when nothing is written any more. A secret of some 50 bytes, which says nothing to
        others. None: nothing was fetched, or the server tells no version (a strong ETag or
        Last-Modified) by which the file could be known to be the same; or it was done already.
        The task completes with :class:`~jupyter_bgdl.errors.Cancelled`. Apple:
        ``cancel(byProducingResumeData:)``.
        """
        path = f"/tasks/{self.task_identifier}/resume-data"
        reply = self._session.call("POST", path, answer=CancelReply)
        self.update(reply.task)
        return None if reply.resume_data is None else reply.resume_data.encode()

    def move_to(self, destination: str | os.PathLike[str]) -> Path:
        """Move the staged file to ``destination`` (a file or a folder), and return its new path.

        An existing file is never overwritten: DestinationExists. Calling it again for the same
        file is fine. Apple's article: move the file before the callback returns.
        """
        location = self.path
        if self._view.destination is not None or location is None:
            raise errors.InvalidRequest("Only a file that was downloaded without to= is moved.")
        try:
            path = files.move(location, destination)
        except FileNotFoundError as error:
            raise errors.InvalidRequest(
                f"{location} is gone: a staged file is there until its handler has returned."
            ) from error
        self.update(
            self._session.call_task(
                "POST", self.task_identifier, "/moved", MovedRequest(str(path.absolute()))
            )
        )
        return path
