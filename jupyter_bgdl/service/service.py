"""The face of the heart: what the server calls, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupyter_bgdl.engine.protocol import Engine
from jupyter_bgdl.model import (
    AttachReply,
    AttachRequest,
    Event,
    KernelIdentity,
    LogLine,
    LogPage,
    SessionView,
    SubmitReply,
    TaskPage,
    TaskSpec,
    TaskView,
)
from jupyter_bgdl.service.changes import Change
from jupyter_bgdl.service.policy import Settings


class Service:
    def __init__(
        self,
        state_dir: Path,
        engine: Engine,
        *,
        alive: Callable[[KernelIdentity], bool | None],
        settings: Settings = Settings(),  # noqa: B008
        url: str | None = None,
    ) -> None:
        raise NotImplementedError

    moving: int

    def start(self) -> None:
        raise NotImplementedError

    def close(self, timeout: float) -> None:
        raise NotImplementedError

    def present(self, incarnation: str) -> None:
        raise NotImplementedError

    def absent(self, incarnation: str) -> None:
        raise NotImplementedError

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        raise NotImplementedError

    async def attach(self, user: str, identifier: str, request: AttachRequest) -> AttachReply:
        raise NotImplementedError

    async def detach(self, user: str, identifier: str, epoch: int) -> None:
        raise NotImplementedError

    async def sessions(self, user: str) -> list[SessionView]:
        raise NotImplementedError

    async def session(self, user: str, identifier: str) -> SessionView:
        raise NotImplementedError

    async def submit(self, user: str, identifier: str, specs: list[TaskSpec]) -> SubmitReply:
        raise NotImplementedError

    async def tasks(
        self,
        user: str,
        identifier: str,
        *,
        after: int = 0,
        limit: int = 500,
        completed: bool | None = None,
    ) -> TaskPage:
        raise NotImplementedError

    async def task(self, user: str, identifier: str, number: int) -> TaskView:
        raise NotImplementedError

    async def resume(self, user: str, identifier: str, number: int) -> TaskView:
        raise NotImplementedError

    async def suspend(self, user: str, identifier: str, number: int) -> TaskView:
        raise NotImplementedError

    async def cancel(self, user: str, identifier: str, number: int) -> TaskView:
        raise NotImplementedError

    async def retry(self, user: str, identifier: str, number: int) -> TaskView:
        raise NotImplementedError

    async def remove(self, user: str, identifier: str, number: int) -> None:
        raise NotImplementedError

    async def moved(self, user: str, identifier: str, number: int, path: str) -> TaskView:
        raise NotImplementedError

    async def log(
        self, user: str, identifier: str, *, after: int = 0, limit: int = 500
    ) -> LogPage:
        raise NotImplementedError

    async def append_log(
        self, user: str, identifier: str, text: str, source: str = "callback"
    ) -> LogLine:
        raise NotImplementedError

    async def snapshot(
        self, user: str, identifier: str | None
    ) -> tuple[list[SessionView], list[TaskView]]:
        raise NotImplementedError

    async def views(
        self, user: str, sessions: set[str], tasks: set[tuple[str, int]]
    ) -> tuple[list[SessionView], list[TaskView]]:
        raise NotImplementedError

    async def deliver(self, user: str, identifier: str, epoch: int, parked: bool) -> None:
        raise NotImplementedError

    async def events(
        self, user: str, identifier: str, epoch: int, *, after: int, limit: int
    ) -> list[Event]:
        raise NotImplementedError

    async def acknowledge(
        self, user: str, identifier: str, epoch: int, sequence: int, parked: str | None
    ) -> None:
        raise NotImplementedError

    async def owner(self, user: str, identifier: str) -> tuple[int, str]:
        raise NotImplementedError
