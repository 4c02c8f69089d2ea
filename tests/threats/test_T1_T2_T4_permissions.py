"""Who is let in, and to what. Every handler that the extension registers is tried."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from support import figures
from support.jupyter import TOKEN
from tornado.httpclient import HTTPClientError

from jupyter_bgdl.messages import Acknowledge, ClientMessage, Deliver, Hello, Unwatch, Watch
from jupyter_bgdl.server.extension import BackgroundTransfers
from jupyter_bgdl.server.routes import OPERATIONS

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
JSON = {"Content-Type": "application/json"}

MESSAGES = {
    Hello: {},
    Watch: {"session": "s"},
    Unwatch: {"session": "s"},
    Deliver: {"session": "s", "epoch": 1},
    Acknowledge: {"session": "s", "epoch": 1, "sequence": 1},
}
"""Fields of each message that a client can send."""
WRITES = {Deliver, Acknowledge}

AUTHORIZER = """
import json
from pathlib import Path
from jupyter_server.auth import Authorizer

allowed = Path({allowed!r})

class Denies(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "bgdl" or action in json.loads(allowed.read_text())

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


def credentials(server: Any) -> tuple[dict[str, str], ...]:
    """A person's, and a kernel's."""
    return (
        {"Authorization": f"token {TOKEN}"},
        {"X-BGDL-Token": server.credentials["token"]},
    )


def path_of(operation: Any) -> str:
    return str(operation.path.format(identifier="s", number=1).lstrip("/"))


class Guarded:
    """A server whose authorizer allows on ``bgdl`` what the test says, from one moment to the
    next."""

    def __init__(self, server: Any, allowed: Path) -> None:
        self.server = server
        self._allowed = allowed

    def allow(self, actions: set[str]) -> None:
        self._allowed.write_text(json.dumps(sorted(actions)))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, make_server: Any) -> Iterator[Guarded]:
    home = tmp_path_factory.mktemp("guarded")
    config, allowed = home / "config", home / "allowed.json"
    config.mkdir()
    (config / "jupyter_server_config.py").write_text(AUTHORIZER.format(allowed=str(allowed)))
    server = make_server(
        home, arguments=("--ServerApp.jpserver_extensions={'jupyter_bgdl': True}",)
    )
    house = Guarded(server, allowed)
    house.allow({"read"})
    with server:
        yield house


def test_T1_anonymous_gets_nothing_from_any_handler(server: Any) -> None:
    found: list[tuple[str, str]] = []
    with server.client() as anonymous:
        for path in registered():
            for verb in VERBS:
                answer = anonymous.request(verb, path)
                if answer.status_code not in (401, 403) or "jupyter_bgdl" in answer.text:
                    found.append((verb, path))
    figures.count(figures.HANDLERS, found)
    assert found == []


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


@pytest.mark.parametrize(
    "allowed",
    [{"read"}, set(), {"read", "write"}, {"write", "execute"}],
    ids=["reader", "nobody", "no-execute", "no-read"],
)
def test_T2_T20_an_authorizer_is_asked_for_every_operation(
    guarded: Guarded, allowed: set[str]
) -> None:
    guarded.allow(allowed)
    server = guarded.server
    found: list[tuple[str, int]] = []
    for headers in credentials(server):
        with server.client() as client:
            for operation in OPERATIONS:
                answer = client.request(
                    operation.method,
                    path_of(operation),
                    headers=headers | JSON,
                    content=b"{}" if operation.request else b"",
                )
                if (answer.status_code == 403) != (operation.action not in allowed):
                    found.append((operation.name, answer.status_code))
    figures.count(figures.HANDLERS, found)
    assert found == []


def test_T2_T20_each_operation_asks_for_the_right_that_it_needs() -> None:
    """What only reads is a GET; what runs code, or shows it, takes ``execute``."""
    for operation in OPERATIONS:
        if operation.action == "read":
            assert operation.method == "GET", operation.name
        elif operation.action == "write":
            assert operation.method != "GET", operation.name
    executes = {operation.name for operation in OPERATIONS if operation.action == "execute"}
    assert executes == {
        "launch_cell",
        "register_launch_cell",
        "switch_launch",
        "run_launch_cell",
        "check_launch_cell",
    }


async def test_T2_an_authorizer_is_asked_for_every_message(
    guarded: Guarded, open_socket: Any
) -> None:
    assert set(MESSAGES) == set(get_args(ClientMessage))
    for headers in credentials(guarded.server):
        guarded.allow({"read", "write"})
        sockets = [await open_socket(guarded.server, headers=headers) for _ in range(2)]
        found: list[tuple[str, Any]] = []
        for allowed, socket in zip(({"read"}, {"write"}), sockets, strict=True):
            # Taken away while the socket is open: it is asked about each message.
            guarded.allow(allowed)
            for kind, fields in MESSAGES.items():
                if (kind in WRITES) == ("write" in allowed):
                    continue
                await socket.say(kind.__struct_config__.tag, **fields)
                answer = await socket.next()
                if answer["type"] != "refused" or answer["code"] != "not_authorized":
                    found.append((kind.__name__, answer))
        figures.count(figures.HANDLERS, found)
        assert found == []
        guarded.allow({"read"})
        await sockets[0].say("watch", session="s")
        assert (await sockets[0].next())["type"] == "snapshot"
        guarded.allow({"write", "execute"})
        with pytest.raises(HTTPClientError) as refused:
            await open_socket(guarded.server, headers=headers)
        assert refused.value.code == 403


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


def test_what_is_no_websocket_is_refused_as_the_document_says(server: Any) -> None:
    with server.client(Authorization=f"token {TOKEN}") as client:
        answer = client.get("bgdl/channel")
    document = server.get("bgdl/openapi.json")
    assert answer.status_code == 400
    assert "400" in document["paths"]["/bgdl/channel"]["get"]["responses"]
