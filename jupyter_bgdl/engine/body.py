"""Reads a response's body at full speed.

httpx makes the request. Once h11 has handed over what it had buffered, the rest of a plain body
of known length is taken from the socket itself (``carrier.py``): faster than curl on loopback,
where httpx's own loop reaches half of that.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.carrier import carrier_for
from jupyter_bgdl.engine.network import network_failure
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.plan import Segment
from jupyter_bgdl.engine.response import is_encoded
from jupyter_bgdl.engine.throttle import Throttle


@dataclass(frozen=True)
class Control:
    """What every reader of an attempt obeys."""

    check: Callable[[], None]
    """Raises Abort if the attempt was ended. It is asked after every read and before the write,
    so that nothing that arrives after a stop reaches the part."""
    throttle: Throttle
    hold: Callable[[], None]
    """Asked while the throttle makes it wait."""


def read_body(response: Answer, segment: Segment, control: Control) -> None:
    """Write the body to ``segment``: as much as it has left, or all if it has no end.

    Raises Abort.
    """
    chunks = response.iter_raw()  # its end closes the connection: keep it
    for chunk in received(chunks):
        control.check()
        segment.write(chunk[: segment.left()])
        if control.throttle.is_on:
            control.throttle.take(len(chunk), control.hold)
        left = segment.left()
        if left is None:
            continue
        if left == 0:
            return
        connection = _plain_socket(response)
        if connection is not None:
            begun = segment.at
            try:
                _drain(connection, segment, control)
            finally:
                response.extensions["drained"] = segment.at - begun
            return
    control.check()
    if left := segment.left():
        raise Abort("truncated", f"{left} bytes are missing")


def received(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of a body. Raises Abort for what the network does to it."""
    try:
        yield from chunks
    except httpx.RemoteProtocolError as error:
        raise Abort("truncated") from error
    except httpx.TransportError as error:
        raise network_failure(error) from error


def _plain_socket(response: Answer) -> socket.socket | None:
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


def _drain(connection: socket.socket, segment: Segment, control: Control) -> None:
    check, throttle = control.check, control.throttle
    connection.settimeout(None)  # a wait of its own per read costs a system call each
    carrier = carrier_for(connection, segment.left() or 0)
    try:
        while left := segment.left():
            try:
                count = carrier.fill(connection, throttle.portion(left))
            except OSError as error:
                check()
                raise network_failure(error) from error
            check()
            if count == 0:
                raise Abort("truncated", f"{left} bytes are missing")
            segment.accept(carrier, count)
            if throttle.is_on:
                throttle.take(count, control.hold)
    finally:
        carrier.close()
