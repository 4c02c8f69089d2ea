"""A real Jupyter server with the extension, and clients that speak to it as others would."""

from __future__ import annotations

import json
import os
import urllib.error
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_bgdl.process import host, process_started
from support.fileserver import FileServer
from support.jupyter import TOKEN, JupyterServer

ENABLED = "--ServerApp.jpserver_extensions={'jupyter_bgdl': True}"


class Server(JupyterServer):
    """Counts as started when kernels are let in and the list of sessions is answered with
    ``expected``: 503 if its ledger is another server's."""

    expected = 200

    def start(self) -> None:
        try:
            super().start()
        except BaseException:
            self.kill()
            raise

    def _answers(self, info: Path) -> bool:
        try:
            self.url = json.loads(info.read_text())["url"].replace("localhost", "127.0.0.1")
            if not self.credentials_path.exists():
                return False
            self.get("bgdl/sessions")
        except urllib.error.HTTPError as error:
            return error.code == self.expected
        except (ValueError, OSError):
            return False
        return self.expected == 200

    @property
    def credentials_path(self) -> Path:
        return self.runtime / f"bgdl-{self.pid}.json"

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads(self.credentials_path.read_text())  # type: ignore[no-any-return]

    def client(self, **headers: str) -> httpx.Client:
        """An HTTP client with those headers (underscores become dashes)."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Client(base_url=self.url, headers=given, trust_env=False, timeout=30)

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """Logged in by cookie, as a page is after its first visit; knows its XSRF token."""
        with self.client() as client:
            client.get("login", params={"token": TOKEN}, follow_redirects=True)
            assert "_xsrf" in client.cookies
            yield client

    def logged(self) -> str:
        return self.log.read_text(errors="replace")


class Socket:
    """The far end of a channel."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.seen: list[dict[str, Any]] = []
        self.is_closed = False

    async def say(self, kind: str, **fields: Any) -> None:
        await self.connection.write_message(json.dumps({"type": kind, **fields}))

    async def next(self) -> dict[str, Any] | None:
        """The next message; None when the socket was closed."""
        text = await self.connection.read_message()
        if text is None:
            self.is_closed = True
            return None
        self.seen.append(json.loads(text))
        return self.seen[-1]

    async def until(
        self, kind: str, condition: Callable[[dict[str, Any]], bool] = lambda message: True
    ) -> dict[str, Any]:
        """The next message of that kind for which the condition holds."""
        while True:
            message = await self.next()
            assert message is not None, f"closed before {kind} came: {self.seen}"
            if message["type"] == kind and condition(message):
                return message

    def close(self) -> None:
        self.connection.close()


OpenSocket = Callable[..., Awaitable[Socket]]


@pytest.fixture
async def open_socket() -> AsyncIterator[OpenSocket]:
    """``await open_socket(server, query="?token=…", **headers)``; closed after the test."""
    sockets: list[Socket] = []

    async def connect(
        server: JupyterServer, *, query: str = "", headers: dict[str, str] | None = None
    ) -> Socket:
        if headers is None and not query:
            headers = {"Authorization": f"token {TOKEN}"}
        url = server.url.replace("http", "ws", 1) + "bgdl/channel" + query
        request = HTTPRequest(url, headers=headers or {}, request_timeout=30)
        sockets.append(Socket(await websocket_connect(request)))
        return sockets[-1]

    yield connect
    for socket in sockets:
        socket.close()
        while not socket.is_closed:
            await socket.next()


@pytest.fixture(scope="session")
def make_server() -> type[Server]:
    return Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a module: token and XSRF on, everything logged."""
    home = tmp_path_factory.mktemp("jupyter")
    with Server(home, arguments=(ENABLED, "--debug")) as running:
        yield running


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


@pytest.fixture
def identity(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A ``KernelIdentity`` of this very process, as a script would have it."""

    def make(incarnation: str, **fields: Any) -> dict[str, Any]:
        return {
            "incarnation": incarnation,
            "pid": os.getpid(),
            "host": host(),
            "started": process_started(os.getpid()),
            "directory": str(tmp_path),
            "inode": tmp_path.stat().st_ino,
            "name": f"{incarnation}.py",
            **fields,
        }

    return make


@pytest.fixture
def attach(identity: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """``attach(server, "session", "incarnation")`` → the server's answer."""

    def ask(server: JupyterServer, session: str, incarnation: str, **fields: Any) -> dict[str, Any]:
        body = {"protocol": 1, "kernel": identity(incarnation), **fields}
        return server.post(f"bgdl/sessions/{session}/attach", body)  # type: ignore[no-any-return]

    return ask
