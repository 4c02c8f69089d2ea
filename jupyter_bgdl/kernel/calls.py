"""A session's REST calls: what it asks of the server that has its transfers."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote

from jupyter_bgdl import errors
from jupyter_bgdl.asks import EnvironmentRequest
from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.kernel.channel import Channel
from jupyter_bgdl.kernel.connection import Connection
from jupyter_bgdl.launches import LaunchCheck, LaunchRequest
from jupyter_bgdl.model import TaskMetrics, TaskView


@cache
def link(server_url: str | None, token: str | None) -> tuple[Connection, Channel]:
    """One for each server. Raises ServerUnavailable."""
    connection = Connection(server_url, token)
    connection.check()
    return connection, Channel(connection)


def path_of(identifier: str) -> str:
    """Below the Jupyter server's base URL."""
    return f"bgdl/sessions/{quote(identifier, safe='')}"


def register_launch(
    identifier: str, request: LaunchRequest, *, checks: bool = False
) -> LaunchCheck | None:
    """Set the launch cell of a session that need not be attached, or only check it. Raises what
    the server says."""
    connection, _ = link(None, None)
    if connection.is_in_process:
        if checks:
            raise errors.LaunchError("Without a Jupyter server nothing can be launched.")
        return None
    path = path_of(identifier) + "/launch"
    if checks:
        return connection.call("POST", path + "/check", request, answer=LaunchCheck)
    connection.call("POST", path, request)
    return None


class Calls:
    """Base of a session. Each call raises SessionInvalidated, and what the server says."""

    identifier: str
    is_invalid: bool
    """Whether its end was told; nothing can be done with it any more."""
    _connection: Connection
    _path: str

    def require_validity(self) -> None:
        """Raises SessionInvalidated, which says what to do."""
        if self.is_invalid:
            raise errors.SessionInvalidated(
                f"Session {self.identifier!r} was invalidated: this object is of no more use. Its "
                f"name is free: background_session({self.identifier!r}) makes it anew."
            )

    def call(self, method: str, path: str, body: Any = None, *, answer: Any = None) -> Any:
        """One REST call below the session's path."""
        self.require_validity()
        return self._connection.call(method, self._path + path, body, answer=answer)

    def call_task(self, method: str, number: int, action: str, body: Any = None) -> TaskView:
        """One REST call on a task."""
        view: TaskView = self.call(method, f"/tasks/{number}{action}", body, answer=TaskView)
        return view

    def content_of(self, number: int) -> bytes:
        """What the server answered to an upload."""
        self.require_validity()
        return self._connection.download(f"{self._path}/tasks/{number}/content")

    def explain_task(self, number: int) -> Explanation:
        told: Explanation = self.call("GET", f"/tasks/{number}/explain", answer=Explanation)
        return told

    def metrics_of(self, number: int) -> TaskMetrics:
        """What the server knows of a task's requests."""
        metrics: TaskMetrics = self.call("GET", f"/tasks/{number}/metrics", answer=TaskMetrics)
        return metrics

    def give_environment(self, values: dict[str, str]) -> None:
        """Variables that headers refer to."""
        self.call("POST", "/environment", EnvironmentRequest(values))

    @property
    def is_in_process(self) -> bool:
        """Whether its transfers end with this process, since no server has them."""
        return self._connection.is_in_process

    def register_launch(self, request: LaunchRequest) -> None:
        """Without a server there is nobody to launch anything."""
        if not self.is_in_process:
            self.call("POST", "/launch", request)

    def tell_launch_completed(self) -> None:
        """The completion handler was called. Returns at once."""
        path = f"{self._path}/launch/completed"
        self._connection.spawn(self._connection.fetch("POST", path))
