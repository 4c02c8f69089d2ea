"""The channel of a server whose tasks all run, at the pace at which ours sends at the most.

Real transfers would compete with the page for the cores, and an overloaded server sends less: so
the page would be measured with less to do. What is sent here are our own messages all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_bgdl.messages import ClientMessage, ServerMessage, Snapshot, State, Unwatch, Watch
from jupyter_bgdl.model import Counts, OwnerView, Phase, SessionView, TaskState, TaskView
from jupyter_bgdl.server.watching import COUNTS_INTERVAL, INTERVAL

TASKS_IN_A_MESSAGE = 500
SIZE = 4_000_000_000
"""Of each task, in bytes: at this rate a bar moves by what can be seen every two seconds."""
RATE = 2_000_000


class BusyChannel:
    """Plays ``count`` tasks that run; :attr:`url` is where a page finds them."""

    def __init__(self, count: int, url: str) -> None:
        self.count = count
        self.url = url
        self.sent = 0
        """State messages."""
        self._begun = time.time()
        self._revision = 0

    def received(self) -> int:
        """Bytes of each task by now."""
        return int((time.time() - self._begun) * RATE)

    def session(self) -> SessionView:
        self._revision += 1
        return SessionView(
            identifier="busy",
            revision=self._revision,
            owner=OwnerView("analysis.ipynb"),
            counts=Counts(running=self.count),
            received=self.received() * self.count,
            total=SIZE * self.count,
            rate=float(RATE * self.count),
            created_at=self._begun,
        )

    def tasks(self, first: int) -> list[TaskView]:
        """As many as go into a message."""
        last = min(self.count, first + TASKS_IN_A_MESSAGE - 1)
        return [self._task(number) for number in range(first, last + 1)]

    def _task(self, number: int) -> TaskView:
        name = f"reanalysis_{number:04}.nc"
        return TaskView(
            session="busy",
            task_identifier=number,
            generation=1,
            revision=self._revision,
            state=TaskState.RUNNING,
            phase=Phase.RUNNING,
            name=name,
            host="archive.example.org",
            url=f"https://archive.example.org/reanalysis/{name}",
            destination=f"/home/me/data/{name}",
            received=self.received(),
            total=SIZE,
            rate=float(RATE),
            attempts=1,
            created_at=self._begun,
        )


class _Handler(WebSocketHandler):
    def initialize(self, channel: BusyChannel) -> None:
        self.channel = channel
        self.speaker: asyncio.Task[None] | None = None
        self.with_tasks = False

    def check_origin(self, origin: str) -> bool:
        return True  # the page is another server's

    async def on_message(self, message: str | bytes) -> None:
        asked = msgspec.json.decode(message, type=ClientMessage)
        if isinstance(asked, Watch):
            self.with_tasks |= asked.tasks
            tasks = self.channel.tasks(1) if asked.tasks else None
            await self._say(Snapshot(asked.session, [self.channel.session()], tasks))
            self.speaker = self.speaker or asyncio.create_task(self._speak())
        elif isinstance(asked, Unwatch) and asked.tasks:
            self.with_tasks = False

    async def _speak(self) -> None:
        first = TASKS_IN_A_MESSAGE + 1
        with suppress(WebSocketClosedError):
            while True:
                await asyncio.sleep(INTERVAL if self.with_tasks else COUNTS_INTERVAL)
                first = first if first <= self.channel.count else 1
                session = self.channel.session()
                tasks = self.channel.tasks(first) if self.with_tasks else []
                await self._say(State([session], tasks))
                self.channel.sent += 1
                first += TASKS_IN_A_MESSAGE

    async def _say(self, message: ServerMessage) -> None:
        await self.write_message(msgspec.json.encode(message).decode())

    def on_close(self) -> None:
        if self.speaker:
            self.speaker.cancel()


@contextmanager
def busy_channel(count: int) -> Iterator[BusyChannel]:
    """Serve it on loopback while the block runs."""
    sockets = bind_sockets(0, "127.0.0.1")
    channel = BusyChannel(count, f"ws://127.0.0.1:{sockets[0].getsockname()[1]}/")
    server = HTTPServer(Application([("/", _Handler, {"channel": channel})]))
    server.add_sockets(sockets)
    try:
        yield channel
    finally:
        server.stop()
