"""One kept-alive connection, and plain HTTP/1.1 spoken over it by hand.

For a file of 100 KiB the request is what costs. Measured on loopback, in files a second of one
thread: httpx 800, httpcore 1,225, http.client 1,350, h11 1,490, a head that is split here 2,300.
So only what is beyond doubt is understood (RFC 9112, strictly): one Content-Length, no coding, no
cookie, no field that is folded or not ASCII. For the rest :class:`NotPlain` is raised, and httpx
asks again.
"""

from __future__ import annotations

import os
import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
from msgspec import Struct

from jupyter_bgdl.engine.network import ssl_context

_BUFFER = 1 << 14
"""Bytes of a head at most; what comes with it of the body is written from there."""

_BLANK = re.compile(rb"\n\r?\n")
"""Ends a head, whatever its lines end with: nothing more may come."""
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) [\t\x20-\x7e]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)")
_LENGTH = re.compile(r"\d{1,18}")
_SENDABLE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?")
_DOUBTFUL = ("transfer-encoding", "content-encoding", "set-cookie", "upgrade")

Trace = Callable[[str, dict[str, Any]], None]
"""As httpcore's extension of that name."""


class NotPlain(Exception):
    """This is for httpx to do."""


class Origin(Struct, frozen=True):
    """Where a lane leads, and on which terms."""

    scheme: str
    host: str
    port: int
    verify: bool
    ca_bundle: str | None


class Lane:
    """A connection for one request at a time."""

    def __init__(self, origin: Origin, address: str, timeout: float) -> None:
        """Connect, within ``timeout`` seconds. Raises OSError."""
        self.origin = origin
        self.used = time.monotonic()
        """When its last response ended."""
        self.socket = socket.create_connection((address, origin.port), timeout)
        self.plain = self.socket
        """A duplicate of the socket, below TLS, to cut it off by."""
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.plain = socket.socket(fileno=os.dup(self.socket.fileno()))
            self.peer: Any = self.socket.getpeername()
            if origin.scheme == "https":
                context = ssl_context(origin.verify, origin.ca_bundle)
                self.socket = context.wrap_socket(self.socket, server_hostname=origin.host)
            self.socket.settimeout(None)
        except BaseException:
            self.close()
            raise
        self._buffer = bytearray(_BUFFER)
        self._arrived = select.poll()
        self._arrived.register(self.plain, select.POLLIN)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came since its last response. What comes unasked, be it the end or what
        looks like a response, must not be taken for the answer to the next request."""
        is_held = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        return not is_held and not self._arrived.poll(0)

    def get(self, url: httpx.URL, request: bytes, trace: Trace) -> LaneAnswer:
        """The answer to a :func:`request` for ``url``. Raises OSError, and NotPlain for what a
        lane does not do: then the connection is of no use any more."""
        trace("http11.send_request_headers.started", {})
        self.socket.sendall(request)
        trace("http11.send_request_body.complete", {})
        head, begin, end = self._read_head()
        trace("http11.receive_response_headers.complete", {})
        return LaneAnswer(self, url, head, memoryview(self._buffer)[begin:end], trace)

    def _read_head(self) -> tuple[bytes, int, int]:
        """The head, and where in the buffer the bytes are that came with it."""
        view, end = memoryview(self._buffer), 0
        while end < _BUFFER:
            count = self.socket.recv_into(view[end:])
            if not count:
                if not end:
                    raise ConnectionResetError("the server hung up")
                break
            blank = _BLANK.search(self._buffer, max(0, end - 2), end + count)
            end += count
            if blank is not None:
                at, begin = blank.start() - 1, blank.end()
                if bytes(view[max(0, at) : begin]) != b"\r\n\r\n":
                    break
                return bytes(view[:at]), begin, end
        raise NotPlain

    def close(self) -> None:
        self.plain.close()
        self.socket.close()


class LaneAnswer:
    """The response to a lane's request. When its body was read to the end the lane is free."""

    http_version = "HTTP/1.1"

    def __init__(
        self, lane: Lane, url: httpx.URL, head: bytes, begun: memoryview, trace: Trace
    ) -> None:
        """``begun``: what came of the body with the head. Raises NotPlain."""
        self.url = url
        self.status_code, self.headers = _parsed(head)
        self._left = _length(self.status_code, self.headers)
        if len(begun) > self._left:
            raise NotPlain
        self.num_bytes_downloaded = 0
        self.extensions: dict[str, Any] = {"network_stream": _Stream(lane)}
        if "location" in self.headers:
            self.extensions["location"] = self.headers.pop("location")
        self.on_close: Callable[[bool], None] = lambda is_free: None
        """Called once; whether the next request may be sent."""
        self._lane = lane
        self._begun = begun
        self._trace = trace
        self._is_open = True

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300

    def iter_raw(self) -> Iterator[bytes]:
        """After the first chunk, the rest may be read from the socket itself."""
        if self._begun:
            yield self._took(bytes(self._begun))
        while self._left:
            try:
                chunk = self._lane.socket.recv(min(self._left, 1 << 16))
            except OSError as error:
                raise httpx.ReadError(str(error)) from error
            if not chunk:
                raise httpx.RemoteProtocolError("the body ended early")
            yield self._took(chunk)

    def _took(self, chunk: bytes) -> bytes:
        self._left -= len(chunk)
        self.num_bytes_downloaded += len(chunk)
        return chunk

    def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._trace("http11.response_closed.started", {})
        left = self._left - self.extensions.get("drained", 0)
        self.on_close(left == 0 and "close" not in self.headers.get("connection", "").lower())


class _Stream:
    """What is asked of httpcore's network streams."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def get_extra_info(self, info: str) -> Any:
        return {"socket": self._lane.socket, "server_addr": self._lane.peer}.get(info)


def is_plain(headers: Mapping[str, str]) -> bool:
    """Whether an answer with such fields is one that a lane may understand. By names in lower
    case."""
    return "content-length" in headers and not any(name in headers for name in _DOUBTFUL)


def request(url: httpx.URL, headers: dict[str, str]) -> bytes:
    """A GET. Raises NotPlain if a header is not what may be sent as it is."""
    lines = [
        f"GET {url.raw_path.decode('ascii')} HTTP/1.1",
        f"Host: {url.netloc.decode('ascii')}",
    ]
    for name, value in headers.items():
        line = f"{name}: {value}"
        if not _SENDABLE.fullmatch(line):
            raise NotPlain
        lines.append(line)
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    """Status, and the fields by their names in lower case. Raises NotPlain."""
    start, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(start)
    if status is None:
        raise NotPlain
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise NotPlain
        name, value = field[1].decode("ascii").lower(), field[2].decode("ascii").rstrip()
        if name in _DOUBTFUL or (name == "content-length" and name in fields):
            raise NotPlain
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return int(status[1]), fields


def _length(status: int, fields: dict[str, str]) -> int:
    """Of the body that follows (RFC 9112, 6.3). Raises NotPlain."""
    length = fields.get("content-length")
    if status in (204, 304) and length in (None, "0"):
        return 0
    if length is None or not _LENGTH.fullmatch(length) or status in (204, 304):
        raise NotPlain
    return int(length)
