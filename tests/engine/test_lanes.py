"""Small files over kept-alive connections, from servers that keep them badly."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_bgdl.engine import lanes
from jupyter_bgdl.engine.lane import Origin
from jupyter_bgdl.engine.lifeline import Lifeline

BODY = b"the right bytes"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nthe wrong bytes"


def plain(body: bytes = BODY, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass
class Call:
    """A request, and the connection that it came on."""

    connection: socket.socket
    target: str
    head: str
    on: int
    """Number of its connection, from 1."""
    nth: int
    """Number of the request on that connection, from 1."""

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.sendall(piece)


@dataclass
class Keeper:
    """Keeps its connections, and answers as told."""

    context: ssl.SSLContext | None = None
    answer: Callable[[Call], None] = lambda call: call.send(plain())
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._changed = threading.Condition()
        self._open: list[socket.socket] = []
        self.connections = 0
        scheme = "https" if self.context else "http"
        self.url = f"{scheme}://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.connections += 1
                arguments = (connection, self.connections)
                threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                data, nth = b"", 0
                while True:
                    while b"\r\n\r\n" not in data:
                        more = connection.recv(65536)
                        if not more:
                            return
                        data += more
                    head, _, data = data.partition(b"\r\n\r\n")
                    nth += 1
                    text = head.decode("latin-1")
                    call = Call(connection, text.split()[1], text, number, nth)
                    self.calls.append(call)
                    self.answer(call)


@pytest.fixture
def make_keeper() -> Iterator[Callable[..., Keeper]]:
    made: list[Keeper] = []

    def make(*arguments: Any) -> Keeper:
        made.append(Keeper(*arguments))
        return made[-1]

    yield make
    for keeper in made:
        keeper.close()


@pytest.fixture
def keeper(make_keeper: Callable[..., Keeper]) -> Keeper:
    return make_keeper()


def fetched(bench: Any, url: str, name: str, **fields: Any) -> bytes:
    ready = bench.fetch(url, name=name, **fields)
    return Path(ready.part.path).read_bytes()


def fetch_all(bench: Any, keeper: Keeper, count: int, **fields: Any) -> None:
    for number in range(count):
        assert fetched(bench, f"{keeper.url}/{number}", f"{number}", **fields) == BODY


def test_plain_files_share_a_connection(bench, keeper):
    fetch_all(bench, keeper, 5)
    assert [call.on for call in keeper.calls] == [1, 2, 2, 2, 2]


@pytest.mark.parametrize("what", ["response", "timeout", "end", "byte"])
@pytest.mark.parametrize("secure", [False, True])
def test_what_comes_unasked_is_no_answer(bench, make_keeper, authority, bundle, secure, what):
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
    keeper = make_keeper(context)
    taken, sent = threading.Event(), threading.Event()

    def answer(call: Call) -> None:
        call.send(plain())
        if call.on == 2 and not sent.is_set():
            assert taken.wait(20)
            if what == "end":
                call.connection.shutdown(socket.SHUT_RDWR)
            elif what == "timeout":
                call.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            else:
                call.send(EVIL if what == "response" else b"H")
            sent.set()

    keeper.answer = answer
    fetch_all(bench, keeper, 2, ca_bundle=bundle)
    taken.set()
    assert sent.wait(20)
    fetch_all(bench, keeper, 4, ca_bundle=bundle)
    assert [call.on for call in keeper.calls] == [1, 2, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "odd",
    [
        plain(BODY, "Set-Cookie: a=b"),
        plain(BODY, "X: caf\xe9"),
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + plain(),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + plain(),
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 15\r\n\r\n" + BODY,
        b"HTTP/1.1 200\r\nContent-Length: 15\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\nContent-Length: 15\n\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 15, 15\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf;x=y\r\n"
        + BODY
        + b"\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\n" + BODY,
    ],
    ids=[
        "cookie",
        "latin",
        "hints",
        "continue",
        "folded",
        "no-reason",
        "bare-lf",
        "twice",
        "chunked",
        "one-zero",
    ],
)
def test_an_origin_that_is_never_plain_is_asked_once_a_file(bench, keeper, odd):
    def answer(call: Call) -> None:
        call.send(odd)
        call.connection.shutdown(socket.SHUT_RDWR)

    keeper.answer = answer
    fetch_all(bench, keeper, 6)
    # Once it may look plain to httpx, which does not tell everything.
    assert len(keeper.calls) <= 7


def test_a_head_that_comes_byte_by_byte_is_read(bench, keeper):
    keeper.answer = lambda call: call.send(*(bytes([byte]) for byte in plain()))
    fetch_all(bench, keeper, 3)
    assert keeper.connections == 2


@pytest.mark.parametrize("end", [b"\n\n", b"\n\r\n", b"\r\n\n"])
def test_lines_that_end_otherwise_are_not_waited_for(bench, keeper, end):
    """The connection stays open: who looked for the right end only would wait for ever."""
    odd = plain().replace(b"\r\n\r\n", end)
    keeper.answer = lambda call: call.send(odd if call.target == "/odd" else plain())
    fetch_all(bench, keeper, 2)
    assert fetched(bench, f"{keeper.url}/odd", "odd", timeout=10) == BODY


def test_many_that_hang_up_leave_no_descriptor_open(own_bench, keeper):
    own_bench.wait_for_worker()

    def answer(call: Call) -> None:
        call.send(plain() if call.nth % 3 else b"HTTP/1.1 2")
        if call.nth % 3 == 0:
            call.connection.shutdown(socket.SHUT_RDWR)

    def descriptors() -> int:
        return len(list(Path(f"/proc/{own_bench.engine.pid}/fd").iterdir()))

    keeper.answer = answer
    fetch_all(own_bench, keeper, 3)
    before = descriptors()
    for number in range(60):
        own_bench.fetch(f"{keeper.url}/{number}", name=f"{number}")
    assert descriptors() <= before + 2


def test_R2_what_was_given_for_one_origin_stays_there(bench, make_keeper):
    home, other = make_keeper(), make_keeper()
    fetch_all(bench, other, 2)
    home.answer = lambda call: call.send(
        f"HTTP/1.1 302 Found\r\nLocation: {other.url}/moved\r\nContent-Length: 0\r\n\r\n".encode()
        if call.target == "/far"
        else plain()
    )
    given = {"Authorization": "Bearer secret", "X-Key": "secret", "Cookie": "a=secret"}
    fetch_all(bench, home, 2, headers=given)
    for number in range(2):
        assert fetched(bench, f"{home.url}/far", f"far-{number}", headers=given) == BODY
    assert home.connections == 2
    assert other.connections == 2
    assert all(call.head.count("secret") == 3 for call in home.calls)
    assert not any("secret" in call.head for call in other.calls)
    assert [call.target for call in other.calls[2:]] == ["/moved", "/moved"]


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_an_address_that_does_not_answer_is_left_to_httpx(monkeypatch, how):
    """It may be an old one; else each attempt would wait for it again, until it has stalled."""
    monkeypatch.setattr(lanes, "_PATIENCE", 0.2)
    ours = lanes.Lanes()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if how == "silent":
            listener.listen(0)
            for _ in range(4):  # Nobody accepts: its queue is full then.
                full = stack.enter_context(socket.socket())
                full.setblocking(False)
                full.connect_ex(("127.0.0.1", port))
        origin = Origin("http", "localhost", port, True, None)
        ours.learn(origin, "127.0.0.1")
        begun = time.monotonic()
        tried: list[str] = []
        for _ in range(2):
            url = httpx.URL(f"http://localhost:{port}/")
            answer = ours.get(url, {}, origin, 60, Lifeline(), lambda event, _: tried.append(event))
            assert answer is None
        assert tried == ["connection.connect_tcp.started"], "once"
        assert time.monotonic() - begun < 10
