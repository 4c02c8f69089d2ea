"""What a task is told about itself: the properties of ``URLSessionTask`` that have setters.

A task that was born suspended keeps them here until it is resumed; later they are sent at once,
and the server may refuse them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from jupyter_bgdl.kernel.spec import count_of, description_of, moment_of, priority_of
from jupyter_bgdl.model import Request, TaskState, TaskView
from jupyter_bgdl.properties import TaskChange

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.session import Session


class Properties:
    """Base of a task. Setters raise InvalidRequest, and what the server says."""

    _session: Session
    _view: TaskView

    def __init__(self) -> None:
        self._local = TaskChange()
        """What was set and not sent yet."""

    @property
    def task_description(self) -> str:
        """Your own words, at most 1024 characters; nobody but you looks at them. Apple:
        ``taskDescription``."""
        description: str = self._get("description")
        return description

    @task_description.setter
    def task_description(self, value: str) -> None:
        self._set(description=description_of(value))

    @property
    def priority(self) -> float:
        """0 to 1, a hint: of a session's waiting tasks the one with the higher priority goes
        first, then the one that was made first. 0.5 unless it was set; kept across restarts.
        Apple: ``priority``."""
        priority: float = self._get("priority")
        return priority

    @priority.setter
    def priority(self, value: float) -> None:
        self._set(priority=priority_of(value))

    @property
    def earliest_begin_date(self) -> datetime | None:
        """Not before this moment of the server's wall clock (maybe later), in UTC; None: any time.

        Set it to an aware datetime, or to a timedelta from now. A datetime without a zone raises
        InvalidRequest, which shows how to give it one. A task that runs or is completed keeps
        the one it has. Apple: ``earliestBeginDate``.
        """
        moment: float | None = self._get("earliest_begin_date")
        return None if moment is None else datetime.fromtimestamp(moment, UTC)

    @earliest_begin_date.setter
    def earliest_begin_date(self, value: datetime | timedelta | None) -> None:
        self._set(earliest_begin_date=moment_of(value))

    @property
    def count_of_bytes_client_expects_to_send(self) -> int | None:
        """Upper bound, headers included; None: unknown. More is no error. Apple:
        ``countOfBytesClientExpectsToSend``."""
        count: int | None = self._get("count_of_bytes_client_expects_to_send")
        return count

    @count_of_bytes_client_expects_to_send.setter
    def count_of_bytes_client_expects_to_send(self, value: int | None) -> None:
        self._set(count_of_bytes_client_expects_to_send=count_of(value))

    @property
    def count_of_bytes_client_expects_to_receive(self) -> int | None:
        """Upper bound, headers included, for which room on the disk is waited for; None: unknown.
        More is no error. Apple: ``countOfBytesClientExpectsToReceive``."""
        count: int | None = self._get("count_of_bytes_client_expects_to_receive")
        return count

    @count_of_bytes_client_expects_to_receive.setter
    def count_of_bytes_client_expects_to_receive(self, value: int | None) -> None:
        self._set(count_of_bytes_client_expects_to_receive=count_of(value))

    @property
    def original_request(self) -> Request:
        """What was asked for; its headers are write-only, its URL is shown without secrets.
        Apple: ``originalRequest``."""
        return Request(self._view.url, self._view.method)

    @property
    def current_request(self) -> Request:
        """Differs from the original one after redirects. Apple: ``currentRequest``."""
        response = self._view.response
        if response is None:
            return self.original_request
        return Request(response.url, self._view.method)

    def send_properties(self) -> None:
        """Tell the server what was set before the task is resumed. Raises what it says."""
        if self._local != TaskChange():
            self._send(self._local)
            self._local = TaskChange()

    def _get(self, name: str) -> Any:
        local = getattr(self._local, name)
        return getattr(self._view, name) if local is msgspec.UNSET else local

    def _set(self, **change: Any) -> None:
        merged = msgspec.structs.replace(self._local, **change)
        if self._view.state is TaskState.SUSPENDED and self._view.attempts == 0:
            self._local = merged
        else:
            self._send(merged)
            self._local = TaskChange()

    def _send(self, change: TaskChange) -> None:
        self.update(self._session.call_task("PATCH", self._view.task_identifier, "", change))

    def update(self, view: TaskView) -> bool:
        """Take a view from the server."""
        raise NotImplementedError
