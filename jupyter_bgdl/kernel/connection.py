"""What a kernel asks of its sessions' keeper, from a background thread with a loop of its own."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import importlib
import os
import sys
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar, overload

import msgspec

from jupyter_bgdl import errors
from jupyter_bgdl.kernel.remote import Remote
from jupyter_bgdl.kernel.transport import Socket, Transport
from jupyter_bgdl.model import PROTOCOL, ServerInfo

T = TypeVar("T")

IN_PROCESS = "in-process:"
"""Stands for a server's URL: no server, but this process."""
FALLBACK = "JUPYTER_BGDL_FALLBACK"
"""Environment variable. ``in-process``: where no server is found, do without one."""


@cache
def background_loop() -> asyncio.AbstractEventLoop:
    """The loop of the one background thread of this process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="jupyter_bgdl", daemon=True)
    thread.start()
    atexit.register(loop.call_soon_threadsafe, loop.stop)
    return loop


class Connection:
    """Calls, answered by a Jupyter server or by this process."""

    def __init__(self, server_url: str | None = None, token: str | None = None) -> None:
        """Raises ServerNotFound."""
        self.loop = background_loop()
        self._transport = _transport(server_url, token)

    @property
    def is_in_process(self) -> bool:
        """Whether the transfers end with this process."""
        return self._transport.is_in_process

    def find_again(self) -> None:
        """After a loss: the server may have come back elsewhere. Raises ServerNotFound."""
        self._transport.find_again()

    async def open_channel(self) -> Socket:
        """In the background thread."""
        return await self._transport.open_channel()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the background thread and wait for it; an interrupt ends it."""
        future = self.spawn(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run it in the background thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    @overload
    def call(self, method: str, path: str, body: Any = None) -> None: ...
    @overload
    def call(self, method: str, path: str, body: Any = None, *, answer: type[T]) -> T: ...
    def call(self, method: str, path: str, body: Any = None, *, answer: Any = None) -> Any:
        """One REST call. Raises what the server says, or one of the connection errors."""
        return self.run(self.fetch(method, path, body, answer=answer))

    def download(self, path: str) -> bytes:
        """The bytes at ``path``. Raises as :meth:`call` does."""
        return self.run(self._transport.ask("GET", path, None))

    async def fetch(self, method: str, path: str, body: Any = None, *, answer: Any = None) -> Any:
        """As :meth:`call`, in the background thread."""
        sent = None if body is None else msgspec.json.encode(body)
        response = await self._transport.ask(method, path, sent)
        return msgspec.json.decode(response, type=answer) if answer is not None else None

    def check(self) -> None:
        """Raises ExtensionMissing, IncompatibleServer or ServerNotFound."""
        self.run(self.check_async())

    async def check_async(self) -> None:
        try:
            info = await self.fetch("GET", "bgdl", answer=ServerInfo)
        except (errors.TaskNotFound, msgspec.MsgspecError) as error:
            raise errors.ExtensionMissing(
                f"{self._transport.place} does not have jupyter_bgdl. Install it "
                "in the server's environment (pip install jupyter_bgdl) and start the server "
                "again; on a hub: Hub Control Panel, Stop My Server, Start My Server."
            ) from error
        if info.protocol != PROTOCOL:
            from jupyter_bgdl import __version__

            raise errors.IncompatibleServer(
                f"The Jupyter server has jupyter_bgdl {info.version} (protocol {info.protocol}), "
                f"this kernel has {__version__} (protocol {PROTOCOL}): they don't understand each "
                "other. Install the same version "
                "in both environments; restart the server if its own was changed."
            )


def _transport(server_url: str | None, token: str | None) -> Transport:
    if server_url == IN_PROCESS:
        return _in_process()
    try:
        return Remote(server_url, token)
    except errors.ServerNotFound:
        if server_url is not None or os.environ.get(FALLBACK) != "in-process":
            raise
    print(
        "jupyter_bgdl: no Jupyter server was found, so transfers run in this process and end with "
        f"it ({FALLBACK}=in-process).",
        file=sys.stderr,
    )
    return _in_process()


def _in_process() -> Transport:
    # Loaded when it is asked for: a kernel with a server needs neither service nor engine.
    made: Transport = importlib.import_module("jupyter_bgdl.in_process").transport()
    return made
