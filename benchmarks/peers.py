"""The programs that we run beside, each fetching one URL into one file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

Fetch = Callable[[str, Path], Awaitable[None]]

PIPE_SIZE = 1 << 20


async def run(*command: str | Path) -> None:
    """Run a program to its end; raises :class:`RuntimeError` if it fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")


async def curl(url: str, target: Path) -> None:
    await run("curl", "-q", "--silent", "--show-error", "--fail", "--output", target, url)


async def niced_curl(url: str, target: Path) -> None:
    """As nice as our worker is."""
    await run("nice", "-n", "5", "curl", "-q", "-sSf", "--output", target, url)


async def aria2(url: str, target: Path) -> None:
    """With the 16 connections that it allows at most."""
    await run(
        *("aria2c", "--no-conf", "--quiet", "-x16", "-s16", "-k1M", "--file-allocation=none"),
        *("--dir", target.parent, "--out", target.name, url),
    )


async def splice(url: str, target: Path) -> None:
    """The bound: a bare GET whose body the kernel moves from socket to file."""
    await asyncio.to_thread(_splice, url, target)


def _splice(url: str, target: Path) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
        request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(4096)
            if not chunk:
                raise RuntimeError("no response")
            received += chunk
        head, body = received.split(b"\r\n\r\n", 1)
        status, *fields = head.decode("ascii").split("\r\n")
        headers = {key.lower(): value for key, value in (field.split(": ", 1) for field in fields)}
        if " 200 " not in status:
            raise RuntimeError(status)
        _splice_body(connection.fileno(), target, body, int(headers["content-length"]))


def _splice_body(source: int, target: Path, body: bytes, length: int) -> None:
    reader, writer = os.pipe()
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        _widen(writer)
        left = length - os.write(file, body)
        while left > 0:
            filled = os.splice(source, writer, min(left, PIPE_SIZE))
            if filled == 0:
                raise RuntimeError("the body ended early")
            left -= filled
            while filled > 0:
                filled -= os.splice(reader, file, filled)
    finally:
        for descriptor in (reader, writer, file):
            os.close(descriptor)


def _widen(pipe: int) -> None:
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


PROGRAMS: Mapping[Fetch, str] = {curl: "curl", niced_curl: "curl", aria2: "aria2c"}
"""What has to be on the PATH."""


def available(peers: Mapping[str, Fetch], say: Callable[[str], None]) -> dict[str, Fetch]:
    """Those whose program is here; the others are named."""
    there = {}
    for name, fetch in peers.items():
        if fetch in PROGRAMS and not shutil.which(PROGRAMS[fetch]):
            say(f"  {name} is left out: there is no {PROGRAMS[fetch]}")
        else:
            there[name] = fetch
    return there
