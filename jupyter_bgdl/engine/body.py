"""Reads a response's body at full speed.

httpx makes the request. Once h11 has handed over what it had buffered, the rest of a plain body
of known length is read from the socket itself into one buffer: faster than curl on loopback,
where httpx's own loop reaches half of that.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator

import httpx

from jupyter_bgdl.engine.client import network_failure
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import PartFile
from jupyter_bgdl.engine.response import is_encoded
from jupyter_bgdl.engine.throttle import Throttle

_BUFFER = 1 << 18
"""Bytes. As fast as a MiB, and one system call holds a core for a quarter of the time."""


def read_body(
    response: httpx.Response,
    part: PartFile,
    length: int | None,
    check: Callable[[], None],
    throttle: Throttle,
    hold: Callable[[], None],
) -> None:
    """Append the body to ``part``: exactly ``length`` bytes of it, or all if that is None.

    ``check`` raises if the attempt was ended; it is asked after every read and before the
    write, so that nothing that arrives after a stop reaches the part. ``hold`` is asked while
    ``throttle`` makes it wait. Raises Abort.
    """
    chunks = response.iter_raw()  # its end closes the connection: keep it
    left = length
    for chunk in _received(chunks):
        check()
        if left is not None and len(chunk) > left:
            chunk = chunk[:left]
        part.write(chunk)
        if throttle.is_on:
            throttle.take(len(chunk), hold)
        if left is None:
            continue
        left -= len(chunk)
        if left == 0:
            return
        connection = _plain_socket(response)
        if connection is not None:
            _drain(connection, part, left, check, throttle, hold)
            return
    check()
    if left:
        raise Abort("truncated", f"{left} bytes are missing")


def _received(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except httpx.RemoteProtocolError as error:
        raise Abort("truncated") from error
    except httpx.TransportError as error:
        raise network_failure(error) from error


def _plain_socket(response: httpx.Response) -> socket.socket | None:
    """The socket that carries the body byte by byte, or None if httpx has to unwrap it."""
    headers = response.headers
    if (
        response.http_version != "HTTP/1.1"
        or "transfer-encoding" in headers
        or "content-length" not in headers
        or is_encoded(headers)
    ):
        return None
    stream = response.extensions["network_stream"]
    connection = stream.get_extra_info("socket")
    if not isinstance(connection, socket.socket):
        return None
    # TLS inside a proxy's TLS: the inner layer is an object of its own beside the socket.
    if isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject):
        return None
    return connection


def _drain(
    connection: socket.socket,
    part: PartFile,
    left: int,
    check: Callable[[], None],
    throttle: Throttle,
    hold: Callable[[], None],
) -> None:
    connection.settimeout(None)  # a wait of its own per read costs a system call each
    view = memoryview(bytearray(_BUFFER))
    while left:
        try:
            count = connection.recv_into(view, throttle.portion(min(left, _BUFFER)))
        except OSError as error:
            check()
            raise network_failure(error) from error
        check()
        if count == 0:
            raise Abort("truncated", f"{left} bytes are missing")
        part.write(view[:count])
        left -= count
        if throttle.is_on:
            throttle.take(count, hold)
