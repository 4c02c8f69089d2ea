"""A slow reader gets fewer and newer views, and costs no memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_bgdl.messages import ServerMessage, Snapshot, State
from jupyter_bgdl.server.watching import COUNTS_INTERVAL, INTERVAL, Watching
from jupyter_bgdl.service.changes import (
    SessionRemoved,
    StateChanged,
    TaskEnded,
    TaskRemoved,
    TasksAdded,
)


class Views:
    """Stands where the service stands; notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[set[str], set[tuple[str, int]]]] = []

    async def snapshot(self, user: str, identifier: str | None) -> tuple[list[Any], list[Any]]:
        return [], []

    async def sessions(self, user: str) -> list[Any]:
        return ["s"]

    async def views(
        self, user: str, sessions: set[str], tasks: set[tuple[str, int]]
    ) -> tuple[list[Any], list[Any]]:
        self.asked.append((sessions, tasks))
        return sorted(sessions), sorted(tasks)


class Reader:
    """Takes one message each time that it is let."""

    def __init__(self) -> None:
        self.ready = asyncio.Semaphore(1)
        self.taken: asyncio.Queue[tuple[float, ServerMessage]] = asyncio.Queue()

    async def take(self, message: ServerMessage) -> None:
        await self.ready.acquire()
        self.taken.put_nowait((asyncio.get_running_loop().time(), message))


@pytest.fixture
async def watching() -> Any:
    views, reader = Views(), Reader()
    watching = Watching(lambda: views, "server", reader.take)  # type: ignore[arg-type,return-value]
    job = asyncio.ensure_future(watching.run())
    await watching.watch("s")
    assert isinstance((await reader.taken.get())[1], Snapshot)
    yield watching, views, reader
    job.cancel()


async def test_E5_changes_gather_by_name_while_nobody_reads(watching: Any) -> None:
    watching, views, reader = watching
    for _ in range(100):
        for number in range(1000):
            watching.changed(StateChanged("server", "s", number))
        await asyncio.sleep(0)
    assert len(views.asked) == 1, "it waits for the reader before it asks again"
    for _ in range(2):
        reader.ready.release()
    seen = [(await reader.taken.get())[1] for _ in range(2)]
    assert all(isinstance(message, State) for message in seen)
    assert {task for message in seen for task in message.tasks} <= {("s", n) for n in range(1000)}
    assert max(len(message.tasks) for message in seen) <= 500


async def test_the_first_change_goes_at_once_and_the_next_waits(watching: Any) -> None:
    watching, _, reader = watching
    for _ in range(3):
        reader.ready.release()
    begun = asyncio.get_running_loop().time()
    watching.changed(StateChanged("server", "s"))
    first, _ = await reader.taken.get()
    watching.changed(StateChanged("server", "s", 1))
    watching.changed(StateChanged("server", "s", 2))
    second, message = await reader.taken.get()
    assert first - begun < INTERVAL / 2
    assert second - first >= INTERVAL * 0.95
    assert message.tasks == [("s", 1), ("s", 2)]


async def test_T3_what_is_another_users_or_another_sessions_is_not_told(watching: Any) -> None:
    watching, views, reader = watching
    for _ in range(2):
        reader.ready.release()
    watching.changed(StateChanged("somebody else", "s", 1))
    watching.changed(StateChanged("server", "other", 2))
    watching.changed(StateChanged("server", "s", 3))
    watching.changed(TaskRemoved("server", "s", 3))
    watching.changed(StateChanged("server", "s", 4))
    await reader.taken.get()
    await reader.taken.get()
    assert views.asked == [(set(), {("s", 4)})]


async def test_many_new_tasks_are_told_of_piece_by_piece_each_once(watching: Any) -> None:
    watching, _, reader = watching
    for _ in range(4):
        reader.ready.release()
    watching.changed(StateChanged("server", "s", 7))
    watching.changed(TasksAdded("server", "s", 100, 1299))
    seen = [(await reader.taken.get())[1].tasks for _ in range(3)]
    assert [len(tasks) for tasks in seen] == [500, 500, 201]
    told = sorted(task for tasks in seen for task in tasks)
    assert told == [("s", 7), *(("s", number) for number in range(100, 1300))]
    watching.changed(TasksAdded("server", "s", 2000, 2001))
    watching.changed(SessionRemoved("server", "s"))
    assert type((await reader.taken.get())[1]).__name__ == "Removed"


async def test_who_watches_the_counts_alone_is_told_no_task_and_once_a_second(
    watching: Any,
) -> None:
    watching, views, reader = watching
    for _ in range(4):
        reader.ready.release()
    watching.unwatch("s")
    await watching.watch(None, tasks=False)
    assert (await reader.taken.get())[1] == Snapshot(None, ["s"], None)  # type: ignore[list-item]
    watching.changed(StateChanged("server", "s", 1))
    watching.changed(TasksAdded("server", "s", 1, 100_000))
    watching.changed(TaskRemoved("server", "s", 2))
    watching.changed(StateChanged("server", "s"))
    first, _ = await reader.taken.get()
    watching.changed(StateChanged("server", "s"))
    second, _ = await reader.taken.get()
    assert views.asked == [({"s"}, set())] * 2
    assert second - first >= COUNTS_INTERVAL * 0.95


async def test_the_end_of_one_watch_leaves_the_other(watching: Any) -> None:
    watching, views, reader = watching
    for _ in range(4):
        reader.ready.release()
    await watching.watch("s", tasks=False)
    await reader.taken.get()
    watching.unwatch("s", tasks=False)
    watching.changed(StateChanged("server", "s", 1))
    await reader.taken.get()
    assert views.asked == [({"s"}, set()), (set(), {("s", 1)})]


async def test_who_counts_is_told_of_a_few_tasks_that_ended(watching: Any) -> None:
    watching, views, reader = watching
    for _ in range(3):
        reader.ready.release()
    watching.unwatch("s")
    await watching.watch(None, tasks=False)
    await reader.taken.get()
    for number in range(1000):
        watching.changed(TaskEnded("server", "s", number))
    await reader.taken.get()
    assert views.asked == [(set(), {("s", number) for number in range(20)})]


async def test_who_stops_watching_is_told_no_more_of_many_new_tasks(watching: Any) -> None:
    watching, views, reader = watching
    for _ in range(4):
        reader.ready.release()
    await watching.watch(None, tasks=False)
    await reader.taken.get()
    watching.changed(TasksAdded("server", "s", 1, 100_000))
    await reader.taken.get()
    watching.unwatch("s")
    watching.changed(StateChanged("server", "s"))
    await reader.taken.get()
    assert [len(tasks) for _, tasks in views.asked] == [500, 0]
