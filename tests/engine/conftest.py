"""A server that misbehaves as told, and a real engine to face it."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Checkpoint,
    Failed,
    Fetch,
    Headers,
    Publish,
    Published,
    Ready,
    Report,
)

PROXIES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]
DATE = "Thu, 01 Jan 2026 12:00:00 GMT"
_tasks = itertools.count(1)
MODIFIED = "Thu, 01 Jan 2026 10:00:00 GMT"


@dataclass
class Exchange:
    """One request, and the connection on which to answer it."""

    connection: socket.socket
    number: int
    method: str
    target: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def begin(self) -> int:
        """Where the range that was asked for begins; 0 without one."""
        return int(self.headers.get("range", "bytes=0-")[6:].partition("-")[0])

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent += len(data)

    def head(self, status: str = "200 OK", **headers: object) -> None:
        lines = [f"HTTP/1.1 {status}", f"Date: {DATE}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def reply(self, status: str = "200 OK", body: bytes = b"", **headers: object) -> None:
        self.head(status, Content_Length=len(body), **headers)
        self.send(body)

    def reset(self) -> None:
        """Close with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@dataclass
class Resource:
    """What a good server does: ranges, If-Range, validators."""

    body: bytes
    etag: str | None = '"one"'
    modified: str | None = None
    content_type: str = "application/octet-stream"
    stop_at: int | None = None
    """The first answer is cut off after this many bytes of the body."""
    cut: Callable[[Exchange], None] | None = None
    rate: float | None = None

    def __call__(self, x: Exchange) -> None:
        headers: dict[str, object] = {"Content_Type": self.content_type, "Accept_Ranges": "bytes"}
        if self.etag:
            headers["ETag"] = self.etag
        if self.modified:
            headers["Last_Modified"] = self.modified
        condition = x.headers.get("if-range")
        begin = x.begin if condition in (None, self.etag, self.modified) else 0
        status, rest = "200 OK", self.body[begin:]
        if "range" in x.headers and begin:
            status = "206 Partial Content"
            total = len(self.body)
            headers["Content_Range"] = f"bytes {begin}-{total - 1}/{total}"
        x.head(status, Content_Length=len(rest), **headers)
        if self.stop_at is not None and x.number == 1:
            self._send(x, rest[: self.stop_at])
            if self.cut:
                self.cut(x)
            return
        self._send(x, rest)

    def _send(self, x: Exchange, data: bytes) -> None:
        if self.rate is None:
            x.send(data)
            return
        step = max(1, int(self.rate / 50))
        for start in range(0, len(data), step):
            x.send(data[start : start + step])
            time.sleep(step / self.rate)


class FaultServer:
    """One thread a connection, one request a connection."""

    def __init__(self, context: ssl.SSLContext | None = None, interface: str = "127.0.0.1") -> None:
        self.answer: Callable[[Exchange], None] = lambda x: x.reply("404 Not Found")
        self.requests: list[Exchange] = []
        self.arrived = threading.Condition()
        self._context = context
        self._listener = socket.create_server((interface, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}/data.bin"
        threading.Thread(target=self._accept, daemon=True).start()

    def at(self, path: str, host: str = "localhost") -> str:
        return f"{'https' if self._context else 'http'}://{host}:{self.port}{path}"

    def wait_for_requests(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, 20)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                first, *lines = data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
                pairs = (line.partition(":") for line in lines)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                method, target, _ = first.split(" ")
                with self.arrived:
                    number = len(self.requests) + 1
                    x = Exchange(connection, number, method, target, headers)
                    self.requests.append(x)
                    self.arrived.notify_all()
                self.answer(x)
                if connection.fileno() >= 0 and not self._context:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass


@pytest.fixture
def make_server() -> Iterator[Callable[..., FaultServer]]:
    servers: list[FaultServer] = []

    def make(*arguments: Any) -> FaultServer:
        servers.append(FaultServer(*arguments))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server: Callable[..., FaultServer]) -> FaultServer:
    return make_server()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def tls_server(
    make_server: Callable[..., FaultServer], authority: trustme.CA
) -> Callable[..., FaultServer]:
    def make(name: str = "localhost", **fields: Any) -> FaultServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, **fields).configure_cert(context)
        return make_server(context)

    return make


@pytest.fixture
def resource() -> type[Resource]:
    return Resource


@pytest.fixture
def body() -> bytes:
    """Three MiB and a bit, that look like no repetition of anything."""
    return random.Random(7).randbytes(3 * (1 << 20) + 123)


@dataclass
class Bench:
    """An engine, what it reported, and the state that a ledger would keep of it."""

    engine: LocalEngine
    folder: Path
    task: int
    reports: list[Report] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    numbers: int = 0

    def take(self, reports: list[Report]) -> None:
        with self.changed:
            self.reports += [r for r in reports if r.attempt.task == self.task]
            self.changed.notify_all()

    def wait(self, match: Callable[[Report], bool], timeout: float = 30) -> Any:
        """The first report that matches."""
        with self.changed:
            found = self.changed.wait_for(
                lambda: next((r for r in self.reports if match(r)), None), timeout
            )
            assert found is not None, self.reports
            return found

    def wait_for_worker(self) -> None:
        """Until the worker serves: it answers a unit that can only fail."""
        assert isinstance(self.fetch("nonsense"), Failed)

    def of(self, kind: type, attempt: Attempt | None = None) -> list[Any]:
        return [
            r for r in self.reports if type(r) is kind and (attempt is None or r.attempt == attempt)
        ]

    def submit(self, url: str, **fields: Any) -> Fetch:
        self.numbers += 1
        unit = Fetch(
            attempt=Attempt(self.task, self.numbers),
            url=url,
            folder=str(fields.pop("folder", self.folder)),
            # As of a ledger each: several may be on their way at once, and a task's may not.
            mark=f"{self.task}-{self.numbers}",
            **fields,
        )
        self.engine.submit([unit])
        return unit

    def end_of(self, attempt: Attempt, timeout: float = 30) -> Any:
        return self.wait(
            lambda r: r.attempt == attempt and isinstance(r, Ready | Failed | Published), timeout
        )

    def fetch(self, url: str, **fields: Any) -> Any:
        return self.end_of(self.submit(url, **fields).attempt)

    def kept(self) -> dict[str, Any]:
        """What a ledger would hand to the next attempt."""
        fields: dict[str, Any] = {}
        for report in self.reports:
            if isinstance(report, Headers):
                fields |= {
                    "part": report.part,
                    "validator": report.validator,
                    "total": report.total,
                }
                if report.received == 0:
                    fields["extents"] = []
            elif isinstance(report, Checkpoint) or (
                isinstance(report, Failed) and report.extents is not None
            ):
                fields["extents"] = report.extents
            elif isinstance(report, Ready):
                fields |= {"extents": [(0, report.size)], "total": report.size}
        return fields

    def resume(self, url: str, **fields: Any) -> Any:
        return self.fetch(url, **(self.kept() | fields))

    def publish(self, ready: Ready, target: Path, **fields: Any) -> Any:
        self.numbers += 1
        unit = Publish(
            attempt=Attempt(self.task, self.numbers),
            part=ready.part,
            size=ready.size,
            target=str(target),
            if_exists=fields.pop("if_exists", "keep"),
            **fields,
        )
        self.engine.submit([unit])
        return self.end_of(unit.attempt)


@pytest.fixture(scope="session")
def _no_proxies() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in PROXIES:
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        yield


class Switch:
    """Leads an engine's reports to the test that runs."""

    def __init__(self) -> None:
        self.bench: Bench | None = None
        self.engine = LocalEngine()
        self.engine.start(self.take)

    def take(self, reports: list[Report]) -> None:
        if self.bench is not None:
            self.bench.take(reports)


@pytest.fixture(scope="session")
def _switch(_no_proxies: None) -> Iterator[Switch]:
    switch = Switch()
    yield switch
    switch.engine.close(5)


@pytest.fixture
def bench(_switch: Switch, tmp_path: Path) -> Iterator[Bench]:
    """The engine that these tests share: starting a process takes longer than most of them."""
    _switch.bench = bench = Bench(_switch.engine, tmp_path / "data", task=next(_tasks))
    yield bench
    _switch.bench = None
    bench.engine.stop(bench.engine.running())


@pytest.fixture
def own_bench(_no_proxies: None, tmp_path: Path) -> Iterator[Bench]:
    """An engine of this test's own, to be ill-treated."""
    bench = Bench(LocalEngine(), tmp_path / "data", task=next(_tasks))
    bench.engine.start(bench.take)
    yield bench
    bench.engine.close(5)
