"""Who is let in, and to what. Every handler that the extension registers is tried."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.jupyter import TOKEN
from tornado.httpclient import HTTPClientError

from jupyter_bgdl.server.extension import BackgroundTransfers
from jupyter_bgdl.server.routes import OPERATIONS

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
JSON = {"Content-Type": "application/json"}

AUTHORIZER = """
from jupyter_server.auth import Authorizer

class Denies(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "bgdl" or action in {allowed!r}

c.ServerApp.authorizer_class = Denies
"""


def registered() -> list[str]:
    """A path for each handler that the extension registers."""
    app = BackgroundTransfers()
    app.initialize_handlers()
    assert len(app.handlers) > 15
    patterns = [handler[0] for handler in app.handlers]
    return [
        re.sub(r"\(\?P<(\w+)>.*?\)", lambda m: "1" if m[1] == "number" else "s", pattern)
        .replace("\\", "")
        .replace(".*", "nothing/here")
        .lstrip("/")
        for pattern in patterns
    ]


def path_of(operation: Any) -> str:
    return str(operation.path.format(identifier="s", number=1).lstrip("/"))


@pytest.fixture
def guarded(
    tmp_path: Path, make_server: Any, request: pytest.FixtureRequest
) -> Iterator[tuple[Any, set[str]]]:
    """A server whose authorizer allows some actions on ``bgdl`` only."""
    allowed = set(request.param)
    config = tmp_path / "jupyter" / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text(AUTHORIZER.format(allowed=allowed))
    server = make_server(
        tmp_path / "jupyter", arguments=("--ServerApp.jpserver_extensions={'jupyter_bgdl': True}",)
    )
    server.expected = 200 if "read" in allowed else 403
    with server:
        yield server, allowed


def test_T1_anonymous_gets_nothing_from_any_handler(server: Any) -> None:
    with server.client() as anonymous:
        for path in registered():
            for verb in VERBS:
                answer = anonymous.request(verb, path)
                assert answer.status_code in (401, 403), (verb, path)
                assert "jupyter_bgdl" not in answer.text


def test_T1_a_wrong_secret_is_as_good_as_none(server: Any) -> None:
    for headers in (
        {"X-BGDL-Token": "wrong"},
        {"X-BGDL-Token": ""},
        {"X-BGDL-Token": TOKEN},
        {"Authorization": f"token {server.credentials['token']}"},
    ):
        with server.client() as client:
            answer = client.get("bgdl/sessions", headers=headers)
        assert answer.status_code == 403, headers
        assert answer.json()["error"]["code"] == "not_authorized"


async def test_T1_anonymous_websocket(server: Any, open_socket: Any) -> None:
    for query in ("", "?token=wrong"):
        with pytest.raises(HTTPClientError) as refused:
            await open_socket(server, query=query, headers={"X-Nobody": "here"})
        assert refused.value.code == 403


async def test_the_secret_and_the_token_open_the_websocket(server: Any, open_socket: Any) -> None:
    for options in (
        {"headers": {"X-BGDL-Token": server.credentials["token"]}},
        {"headers": {"Authorization": f"token {TOKEN}"}},
        {"query": f"?token={TOKEN}"},
    ):
        socket = await open_socket(server, **options)
        await socket.say("watch", session="nobody-made-it")
        assert (await socket.next())["type"] == "snapshot"


@pytest.mark.parametrize("guarded", [["read"], []], indirect=True, ids=["reader", "nobody"])
async def test_T2_an_authorizer_is_asked_for_every_verb(
    guarded: tuple[Any, set[str]], open_socket: Any
) -> None:
    server, allowed = guarded
    tokens = ({"Authorization": f"token {TOKEN}"}, {"X-BGDL-Token": server.credentials["token"]})
    for headers in tokens:
        with server.client() as client:
            for operation in OPERATIONS:
                answer = client.request(
                    operation.method,
                    path_of(operation),
                    headers=headers | JSON,
                    content=b"{}" if operation.request else b"",
                )
                denied = answer.status_code == 403
                assert denied == (operation.action not in allowed), operation.name
        if "read" not in allowed:
            with pytest.raises(HTTPClientError) as refused:
                await open_socket(server, headers=headers)
            assert refused.value.code == 403
            continue
        socket = await open_socket(server, headers=headers)
        for message in (
            {"kind": "deliver", "session": "s", "epoch": 1},
            {"kind": "acknowledge", "session": "s", "epoch": 1, "sequence": 1},
        ):
            await socket.say(**message)
            answer = await socket.next()
            assert answer["type"] == "refused"
            assert answer["code"] == "not_authorized"
        await socket.say("watch", session="s")
        assert (await socket.next())["type"] == "snapshot"


def changing() -> Iterator[Any]:
    return (operation for operation in OPERATIONS if operation.action == "write")


def test_T4_what_changes_something_is_no_GET() -> None:
    assert all(operation.method != "GET" for operation in changing())


def test_T4_a_cookie_alone_changes_nothing(server: Any) -> None:
    with server.browser() as browser:
        assert browser.get("bgdl/sessions", headers={"Referer": server.url}).status_code == 200
        for operation in changing():
            forged = browser.request(
                operation.method,
                path_of(operation),
                content=b"{}" if operation.method == "POST" else b"",
                headers=JSON,
            )
            assert forged.status_code == 403, operation.name


def test_T4_with_its_xsrf_token_a_page_may(server: Any) -> None:
    with server.browser() as browser:
        headers = {"X-XSRFToken": browser.cookies["_xsrf"], "Origin": server.url.rstrip("/")}
        answer = browser.post("bgdl/sessions/s/tasks/1/resume", headers=headers)
        assert answer.json()["error"]["code"] == "not_found"


def test_T4_a_foreign_origin_gets_nothing(server: Any) -> None:
    with server.browser() as browser:
        headers = {"X-XSRFToken": browser.cookies["_xsrf"], "Origin": "https://evil.example"}
        for operation in OPERATIONS:
            answer = browser.request(
                operation.method, path_of(operation), headers=headers | JSON, content=b"{}"
            )
            assert answer.status_code in (403, 404), operation.name
            assert set(answer.json()) == {"error"}
            assert answer.headers.get("Access-Control-Allow-Origin", "") != "https://evil.example"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", "text=x"),
        (
            "multipart/form-data; boundary=x",
            '--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nx\r\n--x--\r\n',
        ),
        ("text/plain", '{"text": "x"}'),
        ("", '{"text": "x"}'),
    ],
    ids=["form", "multipart", "plain", "none"],
)
def test_T4_a_body_of_another_type_than_json(server: Any, content_type: str, body: str) -> None:
    with server.client(Authorization=f"token {TOKEN}") as client:
        for operation in changing():
            answer = client.request(
                operation.method,
                path_of(operation),
                content=body,
                headers={"Content-Type": content_type},
            )
            assert answer.status_code == 415, operation.name
            assert answer.json()["error"]["code"] == "invalid_request"


async def test_T4_a_foreign_page_opens_no_websocket(server: Any, open_socket: Any) -> None:
    with server.browser() as browser:
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    own = await open_socket(server, headers={"Cookie": cookies, "Origin": server.url.rstrip("/")})
    await own.say("watch", session="s")
    assert (await own.next())["type"] == "snapshot"
    with pytest.raises(HTTPClientError) as refused:
        await open_socket(server, headers={"Cookie": cookies, "Origin": "https://evil.example"})
    assert refused.value.code == 403


def test_a_preflight_needs_no_login_and_does_nothing(server: Any) -> None:
    with server.client() as anonymous:
        answer: httpx.Response = anonymous.options("bgdl/sessions")
    assert answer.status_code < 300
    assert not answer.content


def test_the_kernels_secret_passes_for_a_token(
    server: Any, attach: Callable[..., dict[str, Any]]
) -> None:
    with server.client(X_BGDL_Token=server.credentials["token"]) as kernel:
        attach(server, "by-secret", "one")
        answer = kernel.post("bgdl/sessions/by-secret/log", json={"text": "hello"})
    assert answer.json()["text"] == "hello"
