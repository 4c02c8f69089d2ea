"""The REST interface from end to end: bytes on disk, and clear answers to what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.fileserver import FileServer, content

Attach = Callable[..., dict[str, Any]]


@pytest.fixture
def call(server: Any) -> Any:
    """``call("GET", "bgdl")`` → status and answer."""

    def ask(method: str, path: str, **options: Any) -> tuple[int, Any]:
        with server.client(X_BGDL_Token=server.credentials["token"]) as client:
            answer = client.request(method, path, **options)
        return answer.status_code, answer.json() if answer.content else None

    return ask


async def test_a_download_arrives(
    server: Any, files: FileServer, attach: Attach, open_socket: Any, tmp_path: Path
) -> None:
    attach(server, "era5", "one")
    socket = await open_socket(server)
    await socket.say("watch", session="era5")
    body = content(5_000_000)
    spec = {
        "request": {"url": files.add("a.bin", body)},
        "destination": f"{tmp_path}/out/a.bin",
        "checksum": f"sha256:{hashlib.sha256(body).hexdigest()}",
    }
    server.post("bgdl/sessions/era5/tasks", {"tasks": [spec]})
    await socket.until("state", lambda m: any(t["state"] == "completed" for t in m["tasks"]))
    task = server.task("era5")
    assert task["error"] is None
    assert task["verified"]
    assert task["path"] == f"{tmp_path}/out/a.bin"
    assert Path(task["path"]).read_bytes() == body
    again = server.post("bgdl/sessions/era5/tasks", {"tasks": [spec]})
    assert again["tasks"][0]["match"] == "found"
    metrics = server.get("bgdl/sessions/era5/tasks/1/metrics")
    [told] = metrics["transactions"]
    assert told["count_of_response_body_bytes_received"] == len(body)
    assert metrics["task_interval"] == [task["created_at"], task["completed_at"]]
    assert len(files["a.bin"].requests) == 1


@pytest.mark.parametrize("identifier", ["with space", "é–ß", "a%b", "x" * 255, "?&=#"])
def test_an_identifier_may_hold_what_can_be_printed(
    server: Any, attach: Attach, identifier: str
) -> None:
    attached = attach(server, quote(identifier, safe=""), "one")
    assert attached["session"]["identifier"] == identifier


@pytest.mark.parametrize("path", ["a%2Fb", "x" * 256, "tab%09", "%00", "%E2%80%AE"])
def test_other_identifiers_are_refused(
    call: Any, identity: Callable[..., dict[str, Any]], path: str
) -> None:
    body = {"protocol": 1, "kernel": identity("one")}
    status, answer = call("POST", f"bgdl/sessions/{path}/attach", json=body)
    assert (status, answer["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"tasks": []}',
        b'{"tasks": [{"request": {"url": 5}}]}',
        b'{"tasks": [{"request": {"url": "http://h/"}, "size": -1}]}',
        b'{"tasks": [{"request": {"url": "http://h/"}, "sise": 1}]}',
    ],
)
def test_a_body_that_does_not_fit(call: Any, server: Any, attach: Attach, body: bytes) -> None:
    attach(server, "strict", "one")
    status, answer = call(
        "POST",
        "bgdl/sessions/strict/tasks",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert (status, answer["error"]["code"]) == (400, "invalid_request")
    assert answer["error"]["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "after=x", "completed=7"])
def test_a_parameter_that_does_not_fit(call: Any, server: Any, attach: Attach, query: str) -> None:
    attach(server, "strict", "one")
    status, answer = call("GET", f"bgdl/sessions/strict/tasks?{query}")
    assert (status, answer["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "bgdl/nothing", 404),
        ("POST", "bgdl/sessions/x/tasks/1/explode", 404),
        ("PATCH", "bgdl/sessions", 405),
        ("GET", "bgdl/sessions/x/tasks/0", 400),
        ("GET", "bgdl/sessions/x/tasks/one", 400),
        ("GET", f"bgdl/sessions/x/tasks/{10**30}", 400),
        ("GET", "bgdl/sessions/never-made", 404),
        ("GET", "bgdl/sessions/never-made/tasks/1", 404),
    ],
)
def test_what_is_not_there_is_said_as_json(call: Any, method: str, path: str, status: int) -> None:
    answered, answer = call(method, path)
    assert answered == status
    assert set(answer) == {"error"}


def test_a_kernel_of_another_version_is_told_what_to_do(
    call: Any, identity: Callable[..., dict[str, Any]]
) -> None:
    body = {"protocol": 2, "kernel": identity("one")}
    status, answer = call("POST", "bgdl/sessions/future/attach", json=body)
    assert (status, answer["error"]["code"]) == (409, "incompatible_server")
    assert call("GET", "bgdl/sessions/future")[0] == 404


def test_a_kernel_on_another_filesystem(call: Any, identity: Callable[..., dict[str, Any]]) -> None:
    body = {"protocol": 1, "kernel": identity("one", directory="/nowhere/at/all")}
    status, answer = call("POST", "bgdl/sessions/remote/attach", json=body)
    assert (status, answer["error"]["code"]) == (409, "other_filesystem")


def test_the_log_is_paged(server: Any, attach: Attach) -> None:
    attach(server, "logged", "one")
    numbers = [
        server.post("bgdl/sessions/logged/log", {"text": f"line {n}"})["number"] for n in range(3)
    ]
    page = server.get(f"bgdl/sessions/logged/log?after={numbers[0]}")
    assert [line["text"] for line in page["lines"]] == ["line 1", "line 2"]


def test_reading_does_not_keep_an_idle_server_alive(server: Any, attach: Attach) -> None:
    attach(server, "idle", "one")
    before = server.get("api/status?no_track_activity=1")["last_activity"]
    for path in ("bgdl", "bgdl/sessions", "bgdl/sessions/idle", "bgdl/sessions/idle/tasks"):
        server.get(path)
    assert server.get("api/status?no_track_activity=1")["last_activity"] == before
    server.post("bgdl/sessions/idle/log", {"text": "x"})
    assert server.get("api/status?no_track_activity=1")["last_activity"] > before
