"""Kept-alive connections for many small files.

httpx makes the first contact with an origin, and asks for whatever is not plain. Once the origin
has answered in HTTP/1.1, the next plain requests on the same terms go through ``http.client``: it
takes a third of the time that httpx does, and for small files that time is all there is.

An answer whose length is in any doubt, or that brings cookies, is not taken from here: the
connection is dropped and httpx asks again, so that there is one place that knows what to do.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
from msgspec import Struct

from jupyter_bgdl.engine.lifeline import Lifeline
from jupyter_bgdl.engine.network import ssl_context

_IDLE = 4.0
"""Seconds that a connection is kept; servers hang up after five at the earliest, as a rule."""
_MOST = 32
"""Idle connections kept in all."""
_CHUNK = 1 << 16

Trace = Callable[[str, dict[str, Any]], None]
"""As httpcore's extension of that name."""


class Origin(Struct, frozen=True):
    """Where a lane leads, and on which terms."""

    scheme: str
    host: str
    port: int
    verify: bool
    ca_bundle: str | None


class _Connection:
    """One that is open, and when it was last used."""

    def __init__(self, origin: Origin, address: str, timeout: float) -> None:
        """Raises OSError."""
        self.origin = origin
        self.used = time.monotonic()
        connection = socket.create_connection((address, origin.port), timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.scheme == "https":
                context = ssl_context(origin.verify, origin.ca_bundle)
                connection = context.wrap_socket(connection, server_hostname=origin.host)
            connection.settimeout(None)
        except BaseException:
            connection.close()
            raise
        self.socket = connection
        self.http = http.client.HTTPConnection(origin.host, origin.port)
        self.http.sock = connection

    def close(self) -> None:
        self.http.close()


class Lanes:
    """What the transfers of a worker share. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: dict[Origin, str] = {}
        self._idle: list[_Connection] = []

    def learn(self, origin: Origin, address: str) -> None:
        """The origin gave a file in HTTP/1.1 from this address."""
        with self._lock:
            self._addresses[origin] = address

    def _forget(self, origin: Origin) -> None:
        """It does not answer plainly, at least not now: httpx has to make contact again."""
        with self._lock:
            self._addresses.pop(origin, None)

    def request(
        self,
        request: httpx.Request,
        origin: Origin,
        timeout: float,
        lifeline: Lifeline,
        trace: Trace,
    ) -> httpx.Response | None:
        """The response to a GET; None: httpx has to ask. ``timeout`` is that of connecting."""
        try:
            connection = self._take(origin, timeout, trace)
            if connection is None:
                return None
            lifeline.hold(connection.socket)
        except OSError:
            return None
        try:
            return self._exchange(connection, request, trace)
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            self._forget(origin)
            return None

    def sweep(self) -> None:
        """Close what was not used for a while; to be called now and then."""
        latest = time.monotonic() - _IDLE
        with self._lock:
            old = [one for one in self._idle if one.used < latest]
            self._idle = [one for one in self._idle if one.used >= latest]
        for connection in old:
            connection.close()

    def _take(self, origin: Origin, timeout: float, trace: Trace) -> _Connection | None:
        with self._lock:
            address = self._addresses.get(origin)
            if address is None:
                return None
            for connection in reversed(self._idle):
                if connection.origin == origin:
                    self._idle.remove(connection)
                    return connection
        trace("connection.connect_tcp.started", {})
        connection = _Connection(origin, address, timeout)
        trace("connection.connect_tcp.complete", {})
        return connection

    def _exchange(
        self, connection: _Connection, request: httpx.Request, trace: Trace
    ) -> httpx.Response:
        trace("http11.send_request_headers.started", {})
        client = connection.http
        target = request.url.raw_path.decode("ascii")
        client.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.raw:
            client.putheader(name, value)
        client.endheaders()
        trace("http11.send_request_body.complete", {})
        answer = client.getresponse()
        trace("http11.receive_response_headers.complete", {})
        length = _plain_length(answer)
        if length is None:
            raise http.client.HTTPException("not plain")
        stream = _Body(connection, answer, length, self._keep, trace)
        response = httpx.Response(
            answer.status,
            headers=answer.getheaders(),
            stream=stream,
            request=request,
            extensions={"network_stream": _Stream(connection.socket), "http_version": b"HTTP/1.1"},
        )
        stream.extensions = response.extensions
        return response

    def _keep(self, connection: _Connection) -> None:
        connection.used = time.monotonic()
        with self._lock:
            if len(self._idle) < _MOST:
                self._idle.append(connection)
                return
        connection.close()


class _Stream:
    """What is asked of httpcore's network streams. The socket may be closed for ``http.client``
    already, after which the server wants to hang up; its descriptor is open as long as the body
    is."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._address = connection.getpeername()

    def get_extra_info(self, info: str) -> Any:
        return {"socket": self._connection, "server_addr": self._address}.get(info)


class _Body(httpx.SyncByteStream):
    """A response's body. When it was read to its end, the connection is kept."""

    def __init__(
        self,
        connection: _Connection,
        answer: http.client.HTTPResponse,
        length: int,
        keep: Callable[[_Connection], None],
        trace: Trace,
    ) -> None:
        self._connection = connection
        self._answer = answer
        self._left = length
        self._keep = keep
        self._trace = trace
        self._is_open = True
        self.extensions: Mapping[str, Any] = {}

    def __iter__(self) -> Iterator[bytes]:
        """The first chunk empties the buffer of ``http.client``: after it, the rest may be read
        from the socket itself."""
        while self._left:
            try:
                chunk = self._answer.read1(min(self._left, _CHUNK))
            except OSError as error:
                raise httpx.ReadError(str(error)) from error
            if not chunk:
                raise httpx.RemoteProtocolError("the body ended early")
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._trace("http11.response_closed.started", {})
        left = self._left - self.extensions.get("drained", 0)
        is_reusable = left == 0 and not self._answer.will_close
        self._answer.close()
        if is_reusable:
            self._keep(self._connection)
        else:
            self._connection.close()


def _plain_length(answer: http.client.HTTPResponse) -> int | None:
    """Length of the body; None if it is not beyond doubt, or comes with what httpx keeps."""
    fields = answer.headers
    lengths = fields.get_all("Content-Length", ["0"] if answer.status in (204, 304) else [])
    is_plain = (
        answer.version == 11
        and answer.status >= 200
        and len(lengths) == 1
        and lengths[0].isascii()
        and lengths[0].isdigit()
        and len(lengths[0]) < 19
        and int(lengths[0]) == answer.length
        and not any(
            name in fields for name in ("Transfer-Encoding", "Content-Encoding", "Set-Cookie")
        )
        and not fields.defects
    )
    return int(lengths[0]) if is_plain else None
