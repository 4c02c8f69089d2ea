"""Reads many tasks at once: pages of a session, and what a page of the front end begins with."""

from __future__ import annotations

from contextlib import suppress

from jupyter_bgdl.errors import TaskNotFound
from jupyter_bgdl.model import SessionView, TaskPage, TaskView
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.views import Row, Views

MAX_ACTIVE = 500
MAX_COMPLETED = 50
"""How many tasks of a session a snapshot holds."""


class Pages:
    """Lives in the service thread; changes nothing."""

    def __init__(self, ledger: Ledger, sessions: Sessions, tasks: Tasks, views: Views) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._views = views

    async def page(
        self, user: str, identifier: str, after: int, limit: int, completed: bool | None
    ) -> TaskPage:
        session = self._sessions.get(user, identifier)
        query = {None: "tasks_page", False: "active_page", True: "completed_page"}[completed]
        rows = self._ledger.all(query, session=session["id"], after=after, limit=limit + 1)
        views = [self._tasks.view(row) for row in rows[:limit]]
        more = len(rows) > limit
        return TaskPage(views, views[-1].task_identifier if more and views else None)

    async def snapshot(
        self, user: str, identifier: str | None
    ) -> tuple[list[SessionView], list[TaskView]]:
        if identifier is None:
            sessions = self._ledger.all("sessions", user=user)
        else:
            row = self._ledger.one("session", user=user, identifier=identifier)
            sessions = [row] if row else []
        tasks: list[Row] = []
        for session in sessions:
            key = session["id"]
            tasks += self._ledger.all("active_page", session=key, after=0, limit=MAX_ACTIVE)
            tasks += self._ledger.all("newest_completed", session=key, limit=MAX_COMPLETED)
        return (
            [self._views.session(row) for row in sessions],
            [self._tasks.view(row) for row in tasks],
        )

    async def views_of(
        self, user: str, sessions: set[str], tasks: set[tuple[str, int]]
    ) -> tuple[list[SessionView], list[TaskView]]:
        numbers: dict[str, list[int]] = {}
        for identifier, number in tasks:
            numbers.setdefault(identifier, []).append(number)
        seen, views = [], []
        for identifier in sorted(sessions | numbers.keys()):
            with suppress(TaskNotFound):
                session = self._sessions.get(user, identifier)
                if identifier in sessions:
                    seen.append(self._views.session(session))
                views += self._tasks.views(session, numbers.get(identifier, []))
        return seen, views
