"""Speaks REST with the server, from a background thread with a loop of its own.

Tornado's client is used because it is in every kernel already, and because it ignores the
environment's proxies: a kernel and its server are on one machine.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import ssl
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar, overload

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from jupyter_bgdl import errors
from jupyter_bgdl.kernel.discovery import Server, find_server
from jupyter_bgdl.model import PROTOCOL, Failure, ServerInfo

T = TypeVar("T")

_LARGEST = 512 * 2**20
"""Bytes of the largest answer: a page of a large session."""

_TIMEOUT = 60.0
_RESOLVE = {502, 503, 504, 599}


@cache
def background_loop() -> asyncio.AbstractEventLoop:
    """The loop of the one background thread of this process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="jupyter_bgdl", daemon=True)
    thread.start()
    atexit.register(loop.call_soon_threadsafe, loop.stop)
    return loop


class Connection:
    """A server, found again whenever it may have changed."""

    def __init__(self, server_url: str | None = None, token: str | None = None) -> None:
        self._arguments = (server_url, token)
        self._client: AsyncHTTPClient | None = None
        self.loop = background_loop()
        self.server = find_server(*self._arguments)

    def find_again(self) -> Server:
        """After a loss: the server may have come back elsewhere. Raises ServerNotFound."""
        self.server = find_server(*self._arguments)
        return self.server

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
        return self.run(self._ask("GET", path, None)).body

    async def fetch(self, method: str, path: str, body: Any = None, *, answer: Any = None) -> Any:
        """As :meth:`call`, in the background thread."""
        response = await self._ask(method, path, body)
        return msgspec.json.decode(response.body, type=answer) if answer is not None else None

    def check(self) -> None:
        """Raises ExtensionMissing, IncompatibleServer or ServerNotFound."""
        self.run(self.check_async())

    async def check_async(self) -> None:
        try:
            info = await self.fetch("GET", "bgdl", answer=ServerInfo)
        except (errors.TaskNotFound, msgspec.MsgspecError) as error:
            raise errors.ExtensionMissing(
                f"The Jupyter server at {self.server.url} does not have jupyter_bgdl. Install it "
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

    async def _ask(self, method: str, path: str, body: Any) -> HTTPResponse:
        if self._client is None:
            self._client = AsyncHTTPClient(force_instance=True, max_body_size=_LARGEST)
        sent = None if body is None else msgspec.json.encode(body)
        if sent is None and method == "POST":
            sent = b""
        server = self.server
        request = HTTPRequest(
            server.url + path,
            method=method,
            headers={**server.headers, **({"Content-Type": "application/json"} if body else {})},
            body=sent,
            connect_timeout=10,
            request_timeout=_TIMEOUT,
            ssl_options=tls_context(server),
            follow_redirects=False,
        )
        try:
            return await self._client.fetch(request)
        except HTTPClientError as error:
            raise _failure(error, server) from error
        except OSError as error:
            raise errors.ServerNotFound(
                f"The Jupyter server at {server.url} does not answer: {error}"
            ) from error


def tls_context(server: Server) -> ssl.SSLContext | None:
    """Trust the server's own certificate and no other, if it is known."""
    if not server.url.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=server.certificate)
    if server.certificate is not None:
        # The very certificate is pinned; it is made out to a public name, not to loopback.
        context.check_hostname = False
    return context


def _failure(error: HTTPClientError, server: Server) -> errors.BackgroundTransferError:
    body = error.response.body if error.response is not None else b""
    try:
        told = msgspec.json.decode(body or b"", type=Failure).error
    except msgspec.MsgspecError:
        pass
    else:
        return errors.by_code.get(told.code, errors.BackgroundTransferError)(told.message)
    if error.code in (401, 403):
        return errors.NotAuthorized(f"The Jupyter server at {server.url} refused the token.")
    if error.code in (404, 405) or 300 <= error.code < 400:
        return errors.TaskNotFound()
    if error.code in _RESOLVE:
        return errors.ServerUnavailable(f"The Jupyter server at {server.url}: {error.message}")
    return errors.BackgroundTransferError(f"The Jupyter server answered {error.code}.")
