"""The kernel's end of the websocket: stays connected, and tells its listeners what comes.

connecting ──▶ open ──lost──▶ pause (0.2 s, doubling to 5 s) ──▶ connecting
                 │
                 └─ each listener attaches again, watches, and asks for its events
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

import msgspec
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketError

from jupyter_bgdl import errors
from jupyter_bgdl.kernel.connection import Connection
from jupyter_bgdl.kernel.identity import identity
from jupyter_bgdl.kernel.transport import Socket
from jupyter_bgdl.messages import (
    ClientMessage,
    Delivery,
    Fenced,
    Hello,
    Refused,
    Removed,
    ServerMessage,
    Snapshot,
    State,
    Unwatch,
    Watch,
)
from jupyter_bgdl.model import Event, SessionView, TaskView

_log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_decoder = msgspec.json.Decoder(ServerMessage)


class Listener(Protocol):
    """A session. All methods are called in the background thread and return at once."""

    identifier: str

    async def attach_again(self) -> None:
        """The connection was lost and is back. Raises what the server says."""

    def opening(self) -> list[ClientMessage]:
        """What to say when the socket is open, beyond the watch."""

    def state_came(self, session: SessionView | None, tasks: list[TaskView]) -> None: ...

    def watch_sent(self) -> None:
        """A snapshot was asked for."""

    def caught_up(self) -> None:
        """The snapshot that was asked for last was taken, or will not come."""

    def event_came(self, event: Event) -> None: ...

    def task_removed(self, number: int) -> None: ...

    def session_removed(self) -> None:
        """The server has forgotten it."""

    def fenced(self, owner: str) -> None: ...


class Channel:
    """One per connection; started by the first listener."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._incarnation = identity().incarnation
        self._listeners: dict[str, Listener] = {}
        self._due: dict[str, int] = {}
        """Snapshots that were asked for on this connection and did not come yet."""
        self._socket: Socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def add(self, listener: Listener) -> None:
        """Thread-safe. The listener has attached by REST."""
        self._connection.loop.call_soon_threadsafe(self._add, listener)

    def remove(self, identifier: str) -> None:
        """Thread-safe."""
        self._connection.loop.call_soon_threadsafe(self._remove, identifier)

    def send(self, message: ClientMessage) -> None:
        """Thread-safe. Lost if there is no connection: what matters is said on the next one."""
        self._connection.loop.call_soon_threadsafe(self._send, message)

    def _add(self, listener: Listener) -> None:
        self._listeners[listener.identifier] = listener
        if self._socket is not None:
            self._open(listener)
        elif self._task is None:
            self._task = self._connection.loop.create_task(self._run())

    def _remove(self, identifier: str) -> None:
        if self._listeners.pop(identifier, None) is not None:
            self._send(Unwatch(identifier))

    def _send(self, message: ClientMessage) -> None:
        if self._socket is not None:
            # A socket that just closed is noticed where it is read.
            with contextlib.suppress(Exception):
                self._socket.write_message(msgspec.json.encode(message).decode())
            if isinstance(message, Watch) and message.session is not None:
                self._due[message.session] = self._due.get(message.session, 0) + 1
                if listener := self._listeners.get(message.session):
                    listener.watch_sent()

    def _open(self, listener: Listener) -> None:
        self._send(Watch(listener.identifier))
        for message in listener.opening():
            self._send(message)

    async def _run(self) -> None:
        pause, is_first = _FIRST_PAUSE, True
        while True:
            unforeseen: Exception | None = None
            try:
                await self._connect(is_first)
                pause = _FIRST_PAUSE
                is_first = False
                await self._read()
            except (
                OSError,
                HTTPClientError,
                WebSocketError,
                errors.BackgroundTransferError,
            ) as error:
                _log.debug("The channel is not open: %s", error)
            except Exception as error:  # noqa: BLE001 - the channel has to come back (logged)
                unforeseen = error
            finally:
                self._socket = None
            is_first = False
            await asyncio.sleep(pause)
            # Not before: a process that is ending makes errors of its own, and has ended by now.
            if unforeseen is not None:
                _log.error("The channel met an error that nobody foresaw", exc_info=unforeseen)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _connect(self, is_first: bool) -> None:
        if not is_first:
            self._connection.find_again()
            await self._connection.check_async()
        socket = await self._connection.open_channel()
        if not is_first:
            for listener in list(self._listeners.values()):
                await self._attach_again(listener)
        self._socket = socket
        self._due.clear()
        self._send(Hello(self._incarnation))
        for listener in list(self._listeners.values()):
            self._open(listener)

    async def _attach_again(self, listener: Listener) -> None:
        try:
            await listener.attach_again()
        except errors.ServerUnavailable:
            raise
        except errors.BackgroundTransferError as error:
            _log.warning("Session %r can't be attached again: %s", listener.identifier, error)

    async def _read(self) -> None:
        assert self._socket is not None
        while (message := await self._socket.read_message()) is not None:
            try:
                self._take(_decoder.decode(message))
            except msgspec.DecodeError:
                _log.warning("The server said something that this version does not know")

    def _take(self, message: ServerMessage) -> None:
        match message:
            case Snapshot(watch=watch, sessions=sessions, tasks=tasks):
                self._spread(sessions, tasks or [])
                if watch is not None:
                    self._answered(watch, self._due.get(watch, 0) - 1)
                    # It was there when its listener attached.
                    if not sessions and (listener := self._listeners.get(watch)):
                        listener.session_removed()
            case State(sessions=sessions, tasks=tasks):
                self._spread(sessions, tasks)
            case Delivery(event=event):
                if listener := self._listeners.get(event.session):
                    listener.event_came(event)
            case Removed(session=session, task_identifier=number):
                if listener := self._listeners.get(session):
                    if number is None:
                        listener.session_removed()
                    else:
                        listener.task_removed(number)
            case Fenced(session=session, owner=owner):
                if listener := self._listeners.get(session):
                    listener.fenced(owner)
            case Refused(code=code, message=text):
                _log.info("The server refused a message: %s (%s)", text, code)
                # Which one is not said. A snapshot that was refused is not to be waited for.
                for watch in list(self._due):
                    self._answered(watch, 0)

    def _answered(self, watch: str, due: int) -> None:
        self._due[watch] = due
        if due <= 0 and (listener := self._listeners.get(watch)):
            listener.caught_up()

    def _spread(self, sessions: list[SessionView], tasks: list[TaskView]) -> None:
        views = {view.identifier: view for view in sessions}
        of: dict[str, list[TaskView]] = {}
        for task in tasks:
            of.setdefault(task.session, []).append(task)
        for identifier in views.keys() | of.keys():
            if listener := self._listeners.get(identifier):
                listener.state_came(views.get(identifier), of.get(identifier, []))
