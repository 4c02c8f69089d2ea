"""An upload: mirrors ``URLSessionUploadTask``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyter_bgdl.kernel.task import Task
from jupyter_bgdl.model import ResponseView, TaskView

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.session import Session


class UploadResponse(ResponseView, frozen=True):
    """What the server answered to an upload, as ``HTTPURLResponse`` with its data."""

    load: Callable[[], bytes] = bytes

    @property
    def content(self) -> bytes:
        """The body, at most its first MiB; fetched when it is first asked for."""
        return self.load()

    def __repr__(self) -> str:
        return f"<UploadResponse {self.status_code}>"


class UploadTask(Task[UploadResponse]):
    """Made by a session, never directly. The file must not change until it is completed."""

    def __init__(self, session: Session, view: TaskView) -> None:
        super().__init__(session, view)
        self._content: tuple[int, bytes] | None = None
        self._told = 0

    @property
    def response(self) -> UploadResponse | None:
        """Status, metadata and content; None before there is one."""
        response = self._view.response
        if response is None:
            return None
        return UploadResponse(response.url, response.status_code, response.headers, load=self._load)

    def sent_since(self, total: int) -> int:
        """Bytes that were sent since it was asked last, if so many were by now."""
        since, self._told = max(0, total - self._told), total
        return since

    def _load(self) -> bytes:
        generation = self._view.generation
        if self._content is None or self._content[0] != generation:
            self._content = generation, self._session.content_of(self.task_identifier)
        return self._content[1]

    def _outcome(self) -> UploadResponse:
        if error := self.error:
            raise error
        response = self.response
        assert response is not None
        return response
