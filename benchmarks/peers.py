"""The programs that we run beside, each fetching URLs into files."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

Fetch = Callable[[str, Path], Awaitable[float | None]]
"""One file. It may say how many seconds it took; None: all of them, its start included."""
FetchAll = Callable[[Sequence[tuple[str, Path]]], Awaitable[float | None]]
"""Many files at once. They all go into one folder, under the last part of their URL."""

PIPE_SIZE = 1 << 20

Peer = TypeVar("Peer")


async def run(*command: str | Path, given: str | None = None) -> None:
    """Run a program that reads ``given``; raises :class:`RuntimeError` if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    await process.communicate(None if given is None else given.encode())
    if process.returncode:
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


async def wget(url: str, target: Path) -> None:
    await run("wget", "--no-config", "--quiet", "--output-document", target, url)


def trusting_curl(ca: Path) -> Fetch:
    """For https with a certificate that ``ca`` vouches for."""

    async def fetch(url: str, target: Path) -> None:
        await run("curl", "-q", "-sSf", "--cacert", ca, "--output", target, url)

    return fetch


def trusting_aria2(ca: Path) -> Fetch:
    """With four connections: more made it slower."""

    async def fetch(url: str, target: Path) -> None:
        await run(
            *("aria2c", "--no-conf", "--quiet", "-x4", "-s4", "-k1M", "--file-allocation=none"),
            *(f"--ca-certificate={ca}", "--dir", target.parent, "--out", target.name, url),
        )

    return fetch


async def curl_put(url: str, source: Path) -> None:
    """Send ``source`` as the body of a PUT. (With a body of this size, it asks first whether the
    server wants it: left out, as we leave it out.)"""
    await run(
        *("curl", "-q", "-sSf", "--output", os.devnull, "--header", "Expect:"),
        *("--upload-file", source, url),
    )


async def curl_all(files: Sequence[tuple[str, Path]]) -> None:
    """16 at a time."""
    listed = "".join(f'url = "{url}"\noutput = "{path}"\n' for url, path in files)
    # -s does not silence what -Z says of its progress.
    await run(
        *("curl", "-q", "--no-progress-meter", "--fail", "-Z", "--parallel-max", "16"),
        *("--config", "-"),
        given=listed,
    )


async def aria2_all(files: Sequence[tuple[str, Path]]) -> None:
    """16 at a time."""
    listed = "\n".join(url for url, _ in files)
    await run(
        *("aria2c", "--no-conf", "--quiet", "-j16", "--file-allocation=none"),
        *("--dir", files[0][1].parent, "--input-file", "-"),
        given=listed,
    )


async def wget_all(files: Sequence[tuple[str, Path]]) -> None:
    """One after the other, over one connection."""
    listed = "\n".join(url for url, _ in files)
    await run(
        *("wget", "--no-config", "--quiet", "--directory-prefix", files[0][1].parent),
        *("--input-file", "-"),
        given=listed,
    )


def durable(fetch: Fetch) -> Fetch:
    """Fetch, then bring the file onto stable storage."""

    async def both(url: str, target: Path) -> float | None:
        return await _and_sync(fetch(url, target), [target])

    return both


def durably(fetches: Mapping[str, Fetch]) -> dict[str, Fetch]:
    return {name: durable(fetch) for name, fetch in fetches.items()}


def durable_all(fetch_all: FetchAll) -> FetchAll:
    """Fetch, then bring all files onto stable storage."""

    async def both(files: Sequence[tuple[str, Path]]) -> float | None:
        return await _and_sync(fetch_all(files), [path for _, path in files])

    return both


async def _and_sync(fetching: Awaitable[float | None], targets: Sequence[Path]) -> float | None:
    seconds = await fetching
    begun = time.perf_counter()
    await run("sync", *targets)
    return None if seconds is None else seconds + time.perf_counter() - begun


async def seconds_of(fetching: Awaitable[float | None]) -> float:
    """Until it is done; or what it says itself."""
    begun = time.perf_counter()
    own = await fetching
    return time.perf_counter() - begun if own is None else own


async def splice(url: str, target: Path) -> None:
    """The bound: a bare GET whose body the kernel moves from socket to file."""
    await asyncio.to_thread(spliced, url, target)


def spliced(url: str, target: Path) -> None:
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


def available(peers: Mapping[str, tuple[str, Peer]], say: Callable[[str], None]) -> dict[str, Peer]:
    """Those whose program, the first of the two, is on the PATH; the others are named."""
    there = {}
    for name, (program, peer) in peers.items():
        if shutil.which(program):
            there[name] = peer
        else:
            say(f"  {name} is left out: there is no {program}")
    return there
