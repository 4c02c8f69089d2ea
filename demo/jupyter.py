"""A real Jupyter server in folders of its own, and the REST and the channel of our extension."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_bgdl.messages import Acknowledge, ClientMessage, Deliver, Hello, ServerMessage, Watch
from jupyter_bgdl.model import TaskPage, TaskView

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0


class ServerError(RuntimeError):
    """The server answered with an error status."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


class JupyterServer:
    """One server process over the folder ``home``; use :func:`running_server`."""

    def __init__(self, home: Path, process: Process, token: str) -> None:
        self.home = home
        self.root = home / "root"
        self.runtime = home / "runtime"
        self.process = process
        self.token = token
        self.log: deque[str] = deque(maxlen=200)
        """The last lines that the server wrote."""
        self.url = ""
        self._listening = asyncio.Event()
        self._reader = asyncio.create_task(self._read_log())
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def _read_log(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.log.append(text)
            # The port is final only once the server says where it is running.
            if not self.url and (found := re.search(r"http://127\.0\.0\.1:\d+/", text)):
                self.url = found[0]
                self._listening.set()
        self._listening.set()

    async def started(self) -> None:
        """Until the server answers; raises :class:`RuntimeError` with its log if it does not."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._listening.wait()
                if not self.url:
                    raise RuntimeError("the Jupyter server ended:\n" + "\n".join(self.log))
                while not await self._answers():  # noqa: ASYNC110 (it has no event)
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            words = "the Jupyter server did not start:\n" + "\n".join(self.log)
            raise RuntimeError(words) from error

    async def _answers(self) -> bool:
        """It says its address before it listens there, and nothing once it does: so we ask."""
        try:
            await self.request("GET", "bgdl/sessions")
        except ServerError as error:
            if error.status == 503:
                return False
            raise
        except httpx.ConnectError:
            return False
        return True

    async def stop(self) -> None:
        await self.http.aclose()
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._reader

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Call the REST API; the decoded JSON of the answer, or None where there is no body."""
        response = await self.http.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"token {self.token}"},
        )
        if response.is_error:
            words = f"{method} {path}: {response.status_code} {response.text[:500]}"
            raise ServerError(words, response.status_code)
        return response.json() if response.content else None

    async def tasks(self, session: str) -> list[TaskView]:
        page = await self.request("GET", f"bgdl/sessions/{quote(session, safe='')}/tasks")
        return msgspec.convert(page, TaskPage).tasks

    @asynccontextmanager
    async def channel(self, session: str, incarnation: str | None = None) -> AsyncIterator[Channel]:
        """The channel, watching ``session``; as a browser, unless an incarnation is given."""
        request = HTTPRequest(
            self.url.replace("http://", "ws://", 1) + "bgdl/channel",
            headers={"Authorization": f"token {self.token}"},
        )
        messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        # Taken off the socket as they come: a server's pings are not answered otherwise.
        socket = await websocket_connect(request, on_message_callback=messages.put_nowait)
        channel = Channel(socket, messages)
        try:
            await channel.send(Hello(incarnation))
            await channel.send(Watch(session))
            yield channel
        finally:
            socket.close()


class Channel:
    """Messages of the server, one after the other."""

    def __init__(
        self, socket: WebSocketClientConnection, messages: asyncio.Queue[str | bytes | None]
    ) -> None:
        self._socket = socket
        self._messages = messages
        self._decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)

    async def send(self, message: ClientMessage) -> None:
        await self._socket.write_message(msgspec.json.encode(message))

    async def deliver(self, session: str, epoch: int) -> None:
        """Ask for the events of a session that we own."""
        await self.send(Deliver(session, epoch))

    async def acknowledge(self, session: str, epoch: int, sequence: int) -> None:
        await self.send(Acknowledge(session, epoch, sequence))

    async def next(self) -> ServerMessage:
        raw = await self._messages.get()
        if raw is None:
            raise RuntimeError("the server closed the channel")
        return self._decoder.decode(raw)

    async def task(self, condition: Callable[[TaskView], bool], timeout: float) -> TaskView:
        """The first task seen that fulfils ``condition``; ``timeout`` in seconds."""
        async with asyncio.timeout(timeout):
            while True:
                for task in getattr(await self.next(), "tasks", []):
                    if condition(task):
                        return task  # type: ignore[no-any-return]


def isolated_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which Jupyter reads and writes below ``home`` and nowhere else."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))},
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "IPYTHONDIR": str(home / "ipython"),
        **(extra or {}),
    }


@asynccontextmanager
async def running_server(
    home: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[JupyterServer]:
    """Start ``jupyter server`` on a free port of loopback, stop it at the end.

    ``home`` gets ``root`` (notebooks), ``data``, ``runtime`` and ``config``; ``environment`` is
    handed on to the kernels.
    """
    root = home / "root"
    root.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"),
        f"--IdentityProvider.token={token}",
        *arguments,
        cwd=root,
        env=isolated_environment(home, environment),
        stdout=PIPE,
        stderr=STDOUT,
        # Ctrl-C in the terminal is for us; we then end the server in an orderly way.
        start_new_session=True,
    )
    server = JupyterServer(home, process, token)
    try:
        await server.started()
        yield server
    finally:
        await server.stop()


def code_cells(notebook: Path) -> list[str]:
    """The sources of a notebook's code cells, in order."""
    return [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
