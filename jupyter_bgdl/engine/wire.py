"""What passes between the server's process and the worker: framed msgpack over a socket pair.

    frame = length of the message (4 bytes, big endian) + msgpack

The server sends one command a frame, the worker a list of reports a frame; its first list is
empty and says that it serves.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from jupyter_bgdl.engine.protocol import Attempt, Limits, Report, Unit


class Submit(Struct, frozen=True, tag="submit"):
    """Run these units."""

    units: list[Unit]


class Stop(Struct, frozen=True, tag="stop"):
    """End these attempts."""

    attempts: list[Attempt]


class Configure(Struct, frozen=True, tag="configure"):
    """Keep to these limits from now on."""

    limits: Limits


class Close(Struct, frozen=True, tag="close"):
    """Checkpoint everything and exit."""


Command = Submit | Stop | Configure | Close

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(Command)
_reports = msgspec.msgpack.Decoder(list[Report])


def send_command(connection: socket.socket, command: Command) -> None:
    """Raises OSError when the other side is gone."""
    _send(connection, _encoder.encode(command))


def send_reports(connection: socket.socket, reports: list[Report]) -> None:
    """Raises OSError when the other side is gone."""
    _send(connection, _encoder.encode(reports))


def commands(connection: socket.socket) -> Iterator[Command]:
    """What the server asks for, until it is gone."""
    for message in _messages(connection):
        yield _commands.decode(message)


def reports(connection: socket.socket) -> Iterator[list[Report]]:
    """What the worker says, until it is gone."""
    for message in _messages(connection):
        yield _reports.decode(message)


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(len(message).to_bytes(4, "big") + message)


def _messages(connection: socket.socket) -> Iterator[bytes]:
    with connection.makefile("rb") as stream:
        while True:
            try:
                header = stream.read(4)
                message = stream.read(int.from_bytes(header, "big"))
            except ConnectionError:
                return
            if len(header) < 4 or len(message) < int.from_bytes(header, "big"):
                return
            yield message
