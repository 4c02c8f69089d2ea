"""The transport to a Jupyter server: HTTP and a websocket.

Tornado's client is used because it is in every kernel already, and because it ignores the
environment's proxies: a kernel and its server are on one machine.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_bgdl import errors
from jupyter_bgdl.kernel.discovery import Server, find_server
from jupyter_bgdl.kernel.transport import Socket
from jupyter_bgdl.model import Failure

_LARGEST = 512 * 2**20
"""Bytes of the largest answer: a page of a large session."""
_TIMEOUT = 60.0
_PING = 20.0
_RESOLVE = {502, 503, 504, 599}


class Remote:
    """A server, found again whenever it may have changed."""

    is_in_process = False

    def __init__(self, server_url: str | None = None, token: str | None = None) -> None:
        self._arguments = (server_url, token)
        self._client: AsyncHTTPClient | None = None
        self._server = find_server(*self._arguments)

    @property
    def place(self) -> str:
        return f"The Jupyter server at {self._server.url}"

    def find_again(self) -> None:
        self._server = find_server(*self._arguments)

    async def ask(self, method: str, path: str, body: bytes | None) -> bytes:
        if self._client is None:
            self._client = AsyncHTTPClient(force_instance=True, max_body_size=_LARGEST)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if body is None and method in ("POST", "PATCH"):
            body = b""
        server = self._server
        request = HTTPRequest(
            server.url + path,
            method=method,
            headers={**server.headers, **headers},
            body=body,
            connect_timeout=10,
            request_timeout=_TIMEOUT,
            ssl_options=_tls_context(server),
            follow_redirects=False,
        )
        try:
            return (await self._client.fetch(request)).body
        except HTTPClientError as error:
            raise _failure(error, server) from error
        except ConnectionRefusedError as error:
            self.find_again()
            if self._server == server:
                raise _no_answer(server, error) from error
            # It had the ledger, and another one has it now. That one has heard nothing of this.
            return await self.ask(method, path, body)
        except OSError as error:
            raise _no_answer(server, error) from error

    async def open_channel(self) -> Socket:
        server = self._server
        request = HTTPRequest(
            "ws" + server.url.removeprefix("http") + "bgdl/channel",
            headers=server.headers,
            connect_timeout=10,
            ssl_options=_tls_context(server),
        )
        return await websocket_connect(
            request, ping_interval=_PING, ping_timeout=_PING, max_message_size=256 * 2**20
        )


def _tls_context(server: Server) -> ssl.SSLContext | None:
    """Trust the server's own certificate and no other, if it is known. Raises OSError."""
    if not server.url.startswith("https:"):
        return None
    if server.certificate is None:
        return ssl.create_default_context()
    # The file may hold a key, and those who signed: whom they signed for else is not trusted.
    held = Path(server.certificate).read_text(encoding="ascii", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    own = begin + held.partition(begin)[2].partition(end)[0] + end
    context = ssl.create_default_context(cadata=own)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # It is made out to a public name, not to loopback.
    context.check_hostname = False
    return context


def _no_answer(server: Server, error: OSError) -> errors.ServerNotFound:
    return errors.ServerNotFound(f"The Jupyter server at {server.url} does not answer: {error}")


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
