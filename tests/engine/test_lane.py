"""What a lane takes from a server, and what it leaves to httpx."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_bgdl.engine.lane import Lane, NotPlain, Origin, request

URL = httpx.URL("http://data.example/a%20b?c=d")
Answering = Callable[[bytes], Lane]


def no_trace(event: str, info: dict[str, Any]) -> None:
    """Nobody measures."""


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Makes lanes to a server that answers with given bytes and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    lanes: list[Lane] = []
    servers: list[threading.Thread] = []
    asked.clear()

    def serve(answer: bytes) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            while not asked or not asked[-1].endswith(b"\r\n\r\n"):
                data = connection.recv(65536)
                if not data:
                    return
                asked.append(data)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def make(answer: bytes) -> Lane:
        servers.append(threading.Thread(target=serve, args=(answer,)))
        servers[-1].start()
        port = listener.getsockname()[1]
        lanes.append(Lane(Origin("http", "data.example", port, True, None), "127.0.0.1", 5))
        return lanes[-1]

    yield make
    for lane in lanes:
        lane.close()
    for server in servers:
        server.join()
    listener.close()


asked: list[bytes] = []
"""What the server was sent."""


def test_a_plain_answer_is_taken_whole(answering):
    lane = answering(
        b"HTTP/1.1 200 Fine, thanks\r\nContent-Length: 5\r\n"
        b'ETag: "x" \r\nVia: a\r\nvia: b\r\n\r\nhello'
    )
    answer = lane.get(URL, request(URL, {"Accept": "*/*"}), no_trace)
    ended: list[bool] = []
    answer.on_close = ended.append
    assert answer.status_code == 200
    assert answer.headers == {"content-length": "5", "etag": '"x"', "via": "a, b"}
    assert b"".join(answer.iter_raw()) == b"hello"
    assert answer.num_bytes_downloaded == 5
    answer.close()
    answer.close()
    assert ended == [True]
    assert asked == [
        b"GET /a%20b?c=d HTTP/1.1\r\nHost: data.example\r\nAccept: */*\r\n\r\n",
    ]


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Encoding: gzip",
        "Content-Length: 5\r\nSet-Cookie: a=b",
        "Content-Length: 5\r\nX: a\r\n folded",
        "Content-Length : 5",
        "Content-Length: 5\r\nX: \xe4",
        "Content-Length: 5\nX: y",
        "Content-Length: 4",
        f"Content-Length: 5\r\nX: {'y' * 20_000}",
        "ETag: 5",
    ],
)
def test_what_is_in_doubt_is_left_to_httpx(answering, head):
    lane = answering(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\nhello".encode("latin-1"))
    with pytest.raises(NotPlain):
        lane.get(URL, request(URL, {}), no_trace)


@pytest.mark.parametrize(
    "start", ["HTTP/1.0 200 OK", "HTTP/1.1 100 Continue", "HTTP/1.1 99 OK", "HTTP/2 200", "hello"]
)
def test_another_protocol_is_left_to_httpx(answering, start):
    lane = answering(f"{start}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(NotPlain):
        lane.get(URL, request(URL, {}), no_trace)


def test_a_304_has_no_body_whatever_its_length_says(answering):
    assert (
        list(
            answering(b"HTTP/1.1 304 Same\r\n\r\n").get(URL, request(URL, {}), no_trace).iter_raw()
        )
        == []
    )
    asked.clear()
    with pytest.raises(NotPlain):
        answering(b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n").get(
            URL, request(URL, {}), no_trace
        )


def test_a_server_that_hangs_up_before_its_head_is_asked_by_httpx(answering):
    with pytest.raises(NotPlain):
        answering(b"HTTP/1.1 200 OK\r\nContent-").get(URL, request(URL, {}), no_trace)


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\r\nY: b"}, {"X\r\nY": "a"}, {"X": "\xe4"}, {"X": " a"}, {"": "a"}],
    ids=["value", "name", "letter", "space", "nameless"],
)
def test_a_header_can_smuggle_nothing(headers):
    with pytest.raises(NotPlain):
        request(URL, headers)


def test_a_location_is_kept_apart_as_httpx_has_it(answering):
    lane = answering(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
    answer = lane.get(URL, request(URL, {}), no_trace)
    assert "location" not in answer.headers
    assert answer.extensions["location"] == "/b"


@pytest.mark.parametrize(
    ("head", "read"), [("Connection: close\r\n", True), ("", False)], ids=["close", "unread"]
)
def test_a_connection_that_can_not_go_on_is_not_kept(answering, head, read):
    lane = answering(f"HTTP/1.1 200 OK\r\n{head}Content-Length: 5\r\n\r\nhello".encode())
    answer = lane.get(URL, request(URL, {}), no_trace)
    ended: list[bool] = []
    answer.on_close = ended.append
    if read:
        assert b"".join(answer.iter_raw()) == b"hello"
    answer.close()
    assert ended == [False]


def test_a_body_that_ends_early_is_told_of(answering):
    answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello").get(
        URL, request(URL, {}), no_trace
    )
    chunks = answer.iter_raw()
    assert next(chunks) == b"hello"
    with pytest.raises(httpx.RemoteProtocolError):
        next(chunks)


def test_httpx_asks_again_where_a_lane_can_not(bench, server, resource, body):
    good = resource(body)

    def answer(x):
        if x.number == 2:
            x.reply(body=b"x", Set_Cookie="a=b")
        else:
            good(x)

    server.answer = answer
    for name in ("one", "two"):
        ready = bench.fetch(server.url, name=name)
        assert Path(ready.part.path).read_bytes() == body
    assert len(server.requests) == 3
