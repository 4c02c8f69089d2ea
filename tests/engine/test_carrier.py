"""Bytes on their way from a socket to a part, by each way that there is."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_bgdl.engine.carrier import Buffer, Carrier, Pipe
from jupyter_bgdl.engine.part import PartFile

BODY = os.urandom(3_000_001)


@pytest.fixture
def part(tmp_path) -> Iterator[PartFile]:
    part = PartFile.create(str(tmp_path), ["part"])
    yield part
    part.close()


def carry(carrier: Carrier, part: PartFile) -> bytes:
    ours, theirs = socket.socketpair()
    with ours:

        def send() -> None:
            with theirs:
                theirs.sendall(BODY)

        sender = threading.Thread(target=send)
        sender.start()
        at = 0
        while count := carrier.fill(ours, 1 << 30):
            carrier.empty(part, at)
            at += count
        sender.join()
    carrier.close()
    return Path(part.path).read_bytes()


def test_through_memory(part):
    assert carry(Buffer(len(BODY)), part) == BODY


def test_through_a_pipe(part):
    assert carry(Pipe(), part) == BODY
    assert part.written == [(0, len(BODY))]


def test_D12_a_file_system_that_cannot_splice(part, monkeypatch):
    monkeypatch.setattr(PartFile, "splice", lambda self, pipe, count, at: None)
    assert carry(Pipe(), part) == BODY


def test_a_file_that_cannot_be_spliced_to_says_so(part):
    part.fd, kept = os.open(part.path, os.O_WRONLY | os.O_APPEND), part.fd
    os.close(kept)
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    assert part.splice(reader, 3, 0) is None
    os.close(reader)
    os.close(writer)


def test_no_byte_reaches_the_part_before_it_is_emptied(part):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"ciphertext")
        carrier = Pipe()
        assert carrier.fill(ours, 100) == 10
        carrier.close()
    assert Path(part.path).stat().st_size == 0
