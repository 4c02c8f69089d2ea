"""Lifecycle events on the Jupyter server's own event bus: for other extensions, and for logs.

Each is told once, after it is committed; what is not told when the server stops is not told later.
The journal of a session is what nothing gets lost in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.model import Phase, TaskView
from jupyter_bgdl.server.redaction import describe
from jupyter_bgdl.service.changes import Change, SessionFinished, TaskEnded
from jupyter_bgdl.service.service import Service

log = logging.getLogger(__name__)

_SCHEMAS: Final = Path(__file__).parent / "event_schemas"
_ID: Final = "https://events.jupyter.org/jupyter_bgdl/{}/v1"
_AT_ONCE: Final = 50
"""Events that are told in one go: some 10 ms of the event loop."""


class Lifecycle:
    """Lives on the event loop."""

    def __init__(self, service: Service, bus: Any) -> None:
        """``bus`` is the server's ``event_logger``."""
        self._service = service
        self._bus = bus
        for kind in ("task", "session", "launch"):
            bus.register_event_schema(_SCHEMAS / kind / "v1.yaml")
        self._loop = asyncio.get_running_loop()
        self._untold: deque[TaskEnded | SessionFinished] = deque()
        self._dirty = asyncio.Event()
        self._unsubscribe: Callable[[], None] | None = None
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._unsubscribe = self._service.subscribe(self._changed)
        self._main = asyncio.create_task(self._tell())

    async def stop(self) -> None:
        if self._unsubscribe is not None and self._main is not None:
            self._unsubscribe()
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)

    def launch_started(self, identifier: str, notebook: str) -> None:
        self._emit("launch", {"action": "started", "session": identifier, "notebook": notebook})

    def launch_ended(self, identifier: str, notebook: str, *, delivered: bool) -> None:
        ended = {"action": "ended", "session": identifier, "notebook": notebook}
        self._emit("launch", ended | {"delivered": delivered})

    def _changed(self, change: Change) -> None:
        # In the service's thread.
        if isinstance(change, TaskEnded | SessionFinished):
            self._loop.call_soon_threadsafe(self._note, change)

    def _note(self, change: TaskEnded | SessionFinished) -> None:
        self._untold.append(change)
        self._dirty.set()

    async def _tell(self) -> None:
        while True:
            await self._dirty.wait()
            batch = [self._untold.popleft() for _ in range(min(_AT_ONCE, len(self._untold)))]
            if not self._untold:
                self._dirty.clear()
            try:
                await self._tell_all(batch)
            except BackgroundTransferError as error:
                log.info("%d lifecycle events were not told: %s", len(batch), error)

    async def _tell_all(self, batch: list[TaskEnded | SessionFinished]) -> None:
        for user in dict.fromkeys(change.user for change in batch):
            own = [change for change in batch if change.user == user]
            tasks = {(each.session, each.task) for each in own if isinstance(each, TaskEnded)}
            _, ended = await self._service.views(user, set(), tasks)
            views = {(view.session, view.task_identifier): view for view in ended}
            for change in own:
                if isinstance(change, SessionFinished):
                    await self._tell_finished(change)
                elif view := views.pop((change.session, change.task), None):
                    self._tell_ended(view)

    def _tell_ended(self, view: TaskView) -> None:
        if view.phase is not Phase.COMPLETED:
            return  # It was retried at once: its next end will be told.
        code = view.error.code if view.error else None
        actions = {None: "completed", "cancelled": "cancelled"}
        self._emit(
            "task",
            {
                "action": actions.get(code, "failed"),
                "session": view.session,
                "task_identifier": view.task_identifier,
                "generation": view.generation,
                "kind": view.kind.value,
                "name": view.name,
                "url": view.url,
                "path": view.path,
                "received": view.received,
                "verified": view.verified,
                "error": code,
            },
        )

    async def _tell_finished(self, change: SessionFinished) -> None:
        views, _ = await self._service.views(change.user, {change.session}, set())
        for view in views:
            counts = view.counts
            self._emit(
                "session",
                {
                    "action": "finished",
                    "session": view.identifier,
                    "done": counts.done,
                    "failed": counts.failed,
                    "cancelled": counts.cancelled,
                },
            )

    def _emit(self, kind: str, data: dict[str, Any]) -> None:
        try:
            self._bus.emit(schema_id=_ID.format(kind), data=data)
        except Exception as error:  # noqa: BLE001 - a modifier or handler of somebody else
            log.error("A lifecycle event was not told\n%s", describe(error))
