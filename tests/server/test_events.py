"""Lifecycle events on the Jupyter server's bus, as whoever subscribes to it gets them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import TOKEN
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

Attach = Callable[..., dict[str, Any]]
ID = "https://events.jupyter.org/jupyter_bgdl/{}/v1"


class Bus:
    """A subscriber."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.heard: list[str] = []

    async def next(self, kind: str, session: str) -> dict[str, Any]:
        """The next event of that kind and session."""
        while True:
            text = await self._connection.read_message()
            assert text is not None
            self.heard.append(text)
            event = json.loads(text)
            if event["schema_id"] == ID.format(kind) and event["session"] == session:
                return {name: value for name, value in event.items() if name != "schema_id"}


@pytest.fixture
async def bus(server: Any) -> AsyncIterator[Bus]:
    url = server.url.replace("http", "ws", 1) + "api/events/subscribe"
    connection = await websocket_connect(
        HTTPRequest(url, headers={"Authorization": f"token {TOKEN}"}, request_timeout=30)
    )
    yield Bus(connection)
    connection.close()
    while await connection.read_message() is not None:
        pass


async def test_ends_of_tasks_and_of_a_session_without_what_is_secret(
    server: Any, bus: Bus, files: FileServer, attach: Attach, tmp_path: Any
) -> None:
    attach(server, "told", "one")
    good, bad = files.add("good.bin", content(1000)), files.add("bad.bin", b"", status=404)
    secret = {
        "request": {"url": f"{good}?signature=s3cret", "headers": {"Authorization": "s3cret"}},
        "destination": f"{tmp_path}/good.bin",
    }
    server.post("bgdl/sessions/told/tasks", {"tasks": [secret]})
    assert await bus.next("task", "told") == {
        "action": "completed",
        "session": "told",
        "task_identifier": 1,
        "generation": 1,
        "kind": "download",
        "name": "good.bin",
        "url": f"{good}?signature=…",
        "path": f"{tmp_path}/good.bin",
        "received": 1000,
        "verified": False,
        "error": None,
    }
    counts = {"session": "told", "action": "finished", "cancelled": 0}
    assert await bus.next("session", "told") == {**counts, "done": 1, "failed": 0}
    broken = {"request": {"url": bad}, "destination": f"{tmp_path}/bad.bin"}
    server.post("bgdl/sessions/told/tasks", {"tasks": [broken]})
    failed = await bus.next("task", "told")
    assert (failed["action"], failed["error"], failed["path"]) == ("failed", "http_status", None)
    assert await bus.next("session", "told") == {**counts, "done": 1, "failed": 1}
    server.post("bgdl/sessions/told/tasks/2/retry")
    assert (await bus.next("task", "told"))["generation"] == 2
    assert "s3cret" not in "".join(bus.heard)


async def test_a_task_that_is_cancelled(
    server: Any, bus: Bus, files: FileServer, attach: Attach, tmp_path: Any
) -> None:
    attach(server, "dropped", "one")
    url = files.add("dropped.bin", content(1000))
    spec = {"request": {"url": url}, "destination": f"{tmp_path}/d.bin", "resume": False}
    server.post("bgdl/sessions/dropped/tasks", {"tasks": [spec]})
    server.post("bgdl/sessions/dropped/tasks/1/cancel")
    assert (await bus.next("task", "dropped"))["action"] == "cancelled"
    assert (await bus.next("session", "dropped"))["cancelled"] == 1


async def test_a_launch_begins_and_ends(server: Any, bus: Bus, attach: Attach) -> None:
    attach(server, "launched", "one")
    kernel = server.start_kernel("launched.ipynb")
    kernel.close()
    cell = {"kernel_id": kernel.id, "source": "1 + 1"}
    server.post("bgdl/sessions/launched/launch", cell)
    server.post("bgdl/sessions/launched/launch/run")
    launch = {"session": "launched", "notebook": "launched.ipynb"}
    assert await bus.next("launch", "launched") == {**launch, "action": "started"}
    ended = await bus.next("launch", "launched")
    assert ended == {**launch, "action": "ended", "delivered": ended["delivered"]}
    server.request("DELETE", f"api/kernels/{kernel.id}")


def test_each_schema_is_known_to_the_server_with_its_version(server: Any) -> None:
    with server.client(Authorization=f"token {TOKEN}") as client:
        for kind in ("task", "session", "launch"):
            event = {"schema_id": ID.format(kind), "version": "1", "data": {}}
            assert client.post("api/events", json=event).status_code == 204
            assert client.post("api/events", json=event | {"version": "2"}).status_code == 400
