"""Transfer sessions without a Jupyter server: the same service in this very process.

For papermill, scripts and editors that run kernels without one. What differs: the ledger is in a
temporary folder, so transfers end with the process, and nothing can be launched. The kernel's side
loads this module only when it is asked for; it loads nothing of Jupyter.

    kernel/ ──JSON──▶ server/'s operations ─▶ service/ ─▶ the worker, a child of this process
            ◀─JSON──  a Conversation       ◀─
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from jupyter_bgdl import errors
from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.messages import ServerMessage
from jupyter_bgdl.server import about, asks, cleanup, explain, log, sessions, tasks
from jupyter_bgdl.server.conversation import Conversation
from jupyter_bgdl.server.operations import Call, Operation, parameters
from jupyter_bgdl.server.sockets import Sockets
from jupyter_bgdl.service.service import Service

_log = logging.getLogger(__name__)

_USER = "server"
_CLOSE = 5.0
"""Seconds that the service gets to stop when the process ends."""
_OPERATIONS = tuple(
    (operation, re.compile(re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", re.escape(operation.path))))
    for operation in (
        *about.OPERATIONS,
        *sessions.OPERATIONS,
        *tasks.OPERATIONS,
        *log.OPERATIONS,
        *asks.OPERATIONS,
        *explain.OPERATIONS,
        *cleanup.OPERATIONS,
    )
)


class InProcess:
    """The transport of :mod:`jupyter_bgdl.kernel.transport` to a service of this process."""

    is_in_process = True
    place = "This process"

    def __init__(self) -> None:
        self._state = Path(tempfile.mkdtemp(prefix="jupyter-bgdl-"))
        # Whoever owns a session here is this process, and so alive.
        self._service = Service(self._state, LocalEngine(), alive=lambda kernel: True)
        self._sockets = Sockets()
        self._service.subscribe(self._sockets.changed)
        self._service.start()
        atexit.register(self.close)

    def close(self) -> None:
        """Stop the transfers. The ledger goes: nobody could go on with what is not done."""
        atexit.unregister(self.close)
        self._service.close(_CLOSE)
        shutil.rmtree(self._state, ignore_errors=True)

    def find_again(self) -> None:
        """It is where it was."""

    async def ask(self, method: str, path: str, body: bytes | None) -> bytes:
        url = urlsplit("/" + path)
        operation, named = _find(method, url.path)
        call = Call(
            service=lambda: self._service,
            launcher=_no_launcher,
            sockets=self._sockets,
            user=_USER,
            path=parameters(named, operation.path_type),
            query=parameters(dict(parse_qsl(url.query)), operation.query_type),
            body=_decoded(operation, body),
        )
        answer = await operation.run(call)
        if answer is None or isinstance(answer, bytes):
            return answer or b""
        return msgspec.json.encode(answer)

    async def open_channel(self) -> Pipe:
        self._sockets.start(asyncio.get_running_loop())
        return Pipe(self._service, self._sockets)


class Pipe:
    """An open channel: the kernel's socket, and what carries the service's end of it."""

    def __init__(self, service: Service, sockets: Sockets) -> None:
        self._to_kernel: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._to_service: asyncio.Queue[str] = asyncio.Queue()
        self._conversation = Conversation(self, lambda: service, sockets, _USER)
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while True:
            await self._conversation.take(await self._to_service.get())

    # The kernel's end

    async def read_message(self) -> bytes | None:
        return await self._to_kernel.get()

    def write_message(self, message: str) -> None:
        self._to_service.put_nowait(message)

    # The service's end

    async def carry(self, message: ServerMessage) -> None:
        # Bounded by what a conversation sends ahead: a window of events, five views a second.
        self._to_kernel.put_nowait(msgspec.json.encode(message))

    async def may(self, action: str) -> bool:
        return True

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        self._reading.cancel()
        self._conversation.over()
        self._to_kernel.put_nowait(None)

    def failed(self, error: BaseException) -> None:
        _log.error("A channel in this process failed", exc_info=error)


@cache
def transport() -> InProcess:
    """The one of this process. Raises OSError if there is no folder for its ledger."""
    return InProcess()


def _find(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    for operation, pattern in _OPERATIONS:
        if operation.method == method and (match := pattern.fullmatch(path)):
            return operation, {k: unquote(v) for k, v in match.groupdict().items()}
    raise errors.TaskNotFound(f"A session in this process has no {method} {path}.")


def _decoded(operation: Operation, body: bytes | None) -> msgspec.Struct | None:
    if operation.request is None:
        return None
    try:
        return msgspec.json.decode(body or b"", type=operation.request)
    except msgspec.DecodeError as error:
        raise errors.InvalidRequest(str(error)) from error


def _no_launcher() -> NoReturn:
    raise errors.LaunchError("Nothing can be launched for a session in this process.")
