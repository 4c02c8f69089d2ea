"""What one socket watches, and the newest views of it at most five times a second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from jupyter_bgdl.messages import Removed, ServerMessage, Snapshot, State
from jupyter_bgdl.service.changes import (
    Change,
    SessionRemoved,
    StateChanged,
    TaskEnded,
    TaskRemoved,
    TasksAdded,
)
from jupyter_bgdl.service.service import Service

INTERVAL: Final = 0.2
"""Least time between two ``state`` messages of a socket, in seconds."""
COUNTS_INTERVAL: Final = 1.0
"""The same for a socket that is told no tasks: nobody sees a bar, and each page has such a one."""

_TASKS_IN_A_MESSAGE = 500
_ENDED_IN_A_MESSAGE = 20
"""Of tasks that are only counted, so many that have just ended: more than anybody would name."""


class Watching:
    """Gathers what changed, and asks for the views when they may be sent.

    Only names are held, and one message at a time is on its way, so a slow reader gets fewer
    and newer views, and costs no more memory than the names of its tasks.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        user: str,
        send: Callable[[ServerMessage], Awaitable[None]],
    ) -> None:
        self._service = service
        self._user = user
        self._send = send
        self._watched: set[str | None] = set()
        """Of these (None: of all sessions) the tasks are told, too."""
        self._counted: set[str | None] = set()
        self._sessions: set[str] = set()
        self._tasks: dict[tuple[str, int], None] = {}
        self._added: deque[tuple[str, range]] = deque()
        """Of many new tasks: the numbers of those that were not sent yet."""
        self._removed: dict[tuple[str, int | None], None] = {}
        self._dirty = asyncio.Event()
        self._sending = asyncio.Lock()

    async def watch(self, session: str | None, *, tasks: bool = True) -> None:
        """Send a snapshot of ``session`` (None: of all), then what changes in it."""
        # Watched before it is read, so that no change falls in between.
        watched = self._watched if tasks else self._counted
        watched.add(session)
        try:
            async with self._sending:
                await self._send(await self._snapshot(session, tasks))
        except BaseException:
            watched.discard(session)
            raise

    async def _snapshot(self, session: str | None, tasks: bool) -> Snapshot:
        service = self._service()
        if tasks:
            return Snapshot(session, *await service.snapshot(self._user, session))
        if session is None:
            return Snapshot(None, await service.sessions(self._user), None)
        views, _ = await service.views(self._user, {session}, set())
        return Snapshot(session, views, None)

    def unwatch(self, session: str | None, *, tasks: bool = True) -> None:
        (self._watched if tasks else self._counted).discard(session)
        if None not in self._watched:
            # There may be 100,000 of them. Those that changed are few, and may just have ended.
            self._added = deque(one for one in self._added if one[0] in self._watched)

    def changed(self, change: Change) -> None:
        """Note the change if it is of a session that is watched."""
        if change.user != self._user:
            return
        is_watched = not self._watched.isdisjoint((change.session, None))
        if not is_watched and self._counted.isdisjoint((change.session, None)):
            return
        match change:
            case StateChanged(session=session, task=None):
                self._sessions.add(session)
            case SessionRemoved(session=session):
                self._sessions.discard(session)
                self._tasks = {task: None for task in self._tasks if task[0] != session}
                self._added = deque(added for added in self._added if added[0] != session)
                self._removed[session, None] = None
            case TaskEnded(session=session, task=number):
                # Where tasks are watched, the change of its state has told it.
                if is_watched or len(self._tasks) >= _ENDED_IN_A_MESSAGE:
                    return
                self._tasks[session, number] = None
            case _ if not is_watched:
                return
            case StateChanged(session=session, task=int(number)):
                self._tasks[session, number] = None
            case TasksAdded(session=session, first=first, last=last):
                self._added.append((session, range(first, last + 1)))
            case TaskRemoved(session=session, task=number):
                self._tasks.pop((session, number), None)
                self._removed[session, number] = None
            case _:
                return
        self._dirty.set()

    async def run(self) -> None:
        """Send what changed, the first change after a pause at once. Runs until cancelled."""
        while True:
            await self._dirty.wait()
            async with self._sending:
                await self._flush()
            await asyncio.sleep(INTERVAL if self._watched else COUNTS_INTERVAL)

    async def _flush(self) -> None:
        sessions, self._sessions = self._sessions, set()
        removed, self._removed = self._removed, {}
        tasks = set(islice(self._tasks, _TASKS_IN_A_MESSAGE))
        for task in tasks:
            del self._tasks[task]
        if self._added:
            session, numbers = self._added.popleft()
            room = _TASKS_IN_A_MESSAGE - len(tasks)
            tasks.update((session, number) for number in numbers[:room])
            if rest := numbers[room:]:
                self._added.appendleft((session, rest))
        if not self._tasks and not self._added:
            self._dirty.clear()
        for session, number in removed:
            await self._send(Removed(session, number))
        session_views, task_views = await self._service().views(self._user, sessions, tasks)
        if session_views or task_views:
            await self._send(State(session_views, task_views))
