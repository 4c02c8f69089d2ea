"""Uploads to servers that know no way to resume them, over real sockets."""

from __future__ import annotations

import os
import random
import resource as limits
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.sending import begin, ending, send
from support.uploads import Exchange, UploadServer, take

from jupyter_bgdl.engine.protocol import Failed, Metrics, Progress, Uploaded

BODY = random.Random(9).randbytes(3 * (1 << 20) + 77)


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with UploadServer() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(BODY)
    return path


def plain(x: Exchange) -> bool:
    """Answers the question for a protocol; whether this was it."""
    if x.method == "OPTIONS":
        x.reply("405 Method Not Allowed")
    return x.method == "OPTIONS"


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
def test_the_file_arrives_as_it_is(
    bench: Any, server: UploadServer, file: Path, method: str
) -> None:
    end = send(bench, server.url, file, method, headers={"X-Key": "k", "content-type": "a/b"})
    assert isinstance(end, Uploaded)
    assert (end.status_code, end.content) == (201, b"thanks")
    assert end.headers["content-type"] == "text/plain"
    (x,) = server.of(method)
    assert bytes(x.body) == BODY
    assert x.headers["content-length"] == str(len(BODY))
    assert "transfer-encoding" not in x.headers
    assert (x.headers["x-key"], x.headers["content-type"]) == ("k", "a/b")


def test_an_empty_file_arrives(bench: Any, server: UploadServer, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert isinstance(send(bench, server.url, path), Uploaded)
    (x,) = server.of("PUT")
    assert x.headers["content-length"] == "0"


def test_progress_is_told_and_ends_with_metrics(
    bench: Any, server: UploadServer, file: Path
) -> None:
    gate = threading.Event()

    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read(1 << 20)
            assert gate.wait(20)
            x.read()
            x.reply()

    server.answer = answer
    unit = begin(bench, server.url, file)
    told = bench.wait(lambda r: isinstance(r, Progress))
    assert 0 < told.received <= len(BODY)
    gate.set()
    assert isinstance(ending(bench, unit), Uploaded)
    (metrics,) = bench.of(Metrics, unit.attempt)
    assert [t.method for t in metrics.transactions] == ["OPTIONS", "PUT"]
    assert metrics.transactions[-1].count_of_request_body_bytes_sent == len(BODY)


def test_a_status_is_a_response_and_not_an_error(
    bench: Any, server: UploadServer, file: Path
) -> None:
    server.answer = lambda x: plain(x) or x.reply("404 Not Found", b"no such bucket")
    end = send(bench, server.url, file)
    assert (end.status_code, end.content) == (404, b"no such bucket")


def test_more_than_a_mebibyte_of_response_is_cut(
    bench: Any, server: UploadServer, file: Path
) -> None:
    server.answer = lambda x: plain(x) or x.reply(content=b"y" * (3 << 20))
    assert send(bench, server.url, file).content == b"y" * (1 << 20)


@pytest.mark.parametrize("status", ["503 Busy", "429 Slow down", "500 Oops"])
def test_a_busy_server_is_tried_again_where_the_method_allows_it(
    bench: Any, server: UploadServer, file: Path, status: str
) -> None:
    server.answer = lambda x: plain(x) or x.reply(status, Retry_After="7")
    end = send(bench, server.url, file, "PUT")
    assert isinstance(end, Failed)
    assert (end.code, end.status_code, end.retry_after) == ("http_status", int(status[:3]), 7.0)
    assert isinstance(send(bench, server.url, file, "PUT", last=True), Uploaded)
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_U1_answer_lost_of_a_post_is_an_error_and_not_sent_again(
    bench: Any, server: UploadServer, file: Path, method: str
) -> None:
    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read()
            x.reset()

    server.answer = answer
    end = send(bench, server.url, file, method)
    assert (type(end), end.code) == (Failed, "response_lost")
    assert method in end.message
    assert len(server.of(method)) == 1


def test_U1_connection_lost_within_the_body_of_a_post(
    bench: Any, server: UploadServer, file: Path
) -> None:
    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read(100_000)
            x.reset()

    server.answer = answer
    assert send(bench, server.url, file, "POST").code == "response_lost"
    assert send(bench, server.url, file, "PUT").code == "connection"


def test_U1_answer_cut_off_within_its_content(bench: Any, server: UploadServer, file: Path) -> None:
    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read()
            x.head("200 OK", Content_Length=100)
            x.connection.sendall(b"half")
            x.reset()

    server.answer = answer
    assert send(bench, server.url, file, "POST").code == "response_lost"
    assert send(bench, server.url, file, "PUT").code == "connection"


def test_U1_a_post_that_is_stopped_while_the_answer_is_awaited(
    bench: Any, server: UploadServer, file: Path
) -> None:
    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read()
            server.moved()
            x.connection.recv(1)

    server.answer = answer
    for method, code in (("POST", "response_lost"), ("PUT", "stopped")):
        unit = begin(bench, server.url, file, method)
        server.wait_for(lambda m=method: any(len(x.body) == len(BODY) for x in server.of(m)))
        bench.engine.stop([unit.attempt])
        assert ending(bench, unit).code == code


def test_U1_a_post_that_is_stopped_within_its_body_is_incomplete_and_may_begin_again(
    bench: Any, server: UploadServer, tmp_path: Path
) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 30)

    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read(1 << 20)
            server.moved()
            x.connection.settimeout(20)
            threading.Event().wait(1)  # reads nothing more while the client is stopped

    server.answer = answer
    unit = begin(bench, server.url, path, "POST")
    server.wait_for(lambda: any(x.body for x in server.of("POST")))
    bench.engine.stop([unit.attempt])
    assert ending(bench, unit).code == "stopped"


def test_U3_source_replaced_before_it_is_sent(bench: Any, server: UploadServer, file: Path) -> None:
    from support.sending import source_of

    source = source_of(file)
    other = file.with_name("other")
    other.write_bytes(BODY)
    other.replace(file)
    end = send(bench, server.url, file, source=source)
    assert (type(end), end.code) == (Failed, "source_changed")
    assert server.requests == []


@pytest.mark.parametrize("how", ["grown", "touched", "cut", "replaced", "deleted"])
@pytest.mark.parametrize("when", ["while it is sent", "before the answer"])
def test_U3_source_changed_meanwhile(
    bench: Any, server: UploadServer, tmp_path: Path, how: str, when: str
) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(BODY * 8)

    def change() -> None:
        if how == "grown":
            with path.open("ab") as file:
                file.write(b"more")
        elif how == "touched":
            os.utime(path, ns=(1, 1))
        elif how == "cut":
            os.truncate(path, 100)
        elif how == "replaced":
            path.with_name("new").write_bytes(b"new")
            path.with_name("new").replace(path)
        else:
            path.unlink()

    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read(1000 if when == "while it is sent" else None)
            change()
            x.read()
            x.reply()

    server.answer = answer
    end = send(bench, server.url, path)
    assert isinstance(end, Failed)
    assert end.code == ("upload_source" if how == "deleted" else "source_changed")


def test_a_link_that_took_the_place_of_the_source_is_not_followed(
    bench: Any, server: UploadServer, file: Path
) -> None:
    moved = file.rename(file.with_name("moved"))
    file.symlink_to(moved)
    end = send(bench, server.url, file)
    assert (type(end), end.code) == (Failed, "upload_source")
    assert server.requests == []


@pytest.mark.parametrize("status", [413, 401])
@pytest.mark.parametrize("then", ["closes", "waits", "goes on reading"])
def test_U5_an_early_answer_is_seen_while_sending(
    bench: Any, server: UploadServer, tmp_path: Path, status: int, then: str
) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    over = threading.Event()

    def answer(x: Exchange) -> None:
        if plain(x):
            return
        x.read(1 << 20)
        x.head("100 Continue")
        x.reply(f"{status} No", b"why", Connection="close")
        if then == "closes":
            x.connection.close()
        elif then == "waits":
            over.wait(20)
        else:
            x.read()

    server.answer = answer
    end = send(bench, server.url, path, "POST")
    over.set()
    if status == 401:
        assert (type(end), end.code, end.status_code) == (Failed, "http_status", 401)
    else:
        assert (type(end), end.status_code, end.content) == (Uploaded, 413, b"why")
    (x,) = server.of("POST")
    assert len(x.body) < 4 << 30


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[UploadServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with UploadServer(context) as server:
        yield server


def test_the_file_arrives_over_tls(
    bench: Any, secure: UploadServer, bundle: str, file: Path
) -> None:
    assert isinstance(send(bench, secure.url, file, ca_bundle=bundle), Uploaded)
    (x,) = secure.of("PUT")
    assert bytes(x.body) == BODY


@pytest.mark.parametrize("then", ["closes", "waits", "goes on reading"])
def test_U5_an_early_answer_ends_sending_over_tls(
    bench: Any, secure: UploadServer, bundle: str, tmp_path: Path, then: str
) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(256 << 20)
    over = threading.Event()

    def answer(x: Exchange) -> None:
        if plain(x):
            return
        x.read(1 << 20)
        x.reply("413 No", b"why", Connection="close")
        if then == "waits":
            over.wait(20)
        elif then == "goes on reading":
            x.read()
        x.connection.close()

    secure.answer = answer
    end = send(bench, secure.url, path, "PUT", ca_bundle=bundle)
    over.set()
    assert (type(end), end.status_code, end.content) == (Uploaded, 413, b"why")


@pytest.mark.parametrize("status", [307, 308])
def test_U5_a_redirect_that_keeps_the_body_has_the_file_sent_again(
    bench: Any, server: UploadServer, file: Path, status: int
) -> None:
    def answer(x: Exchange) -> None:
        if plain(x):
            return
        if x.target == "/data":
            x.read(1000)
            x.reply(f"{status} There", Location="/there", Connection="close")
            x.connection.close()
        else:
            take(x)

    server.answer = answer
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(server.of("POST")[-1].body) == BODY
    assert server.of("POST")[-1].target == "/there"


def test_U5_what_was_given_stays_at_its_origin(
    bench: Any, server: UploadServer, file: Path
) -> None:
    with UploadServer() as other:

        def answer(x: Exchange) -> None:
            if not plain(x):
                x.read()
                x.reply("307 There", Location=other.at("/there"))

        server.answer = answer
        headers = {"Authorization": "Bearer s", "X-Key": "s", "Content-Type": "a/b"}
        assert isinstance(send(bench, server.url, file, headers=headers), Uploaded)
        (x,) = other.of("PUT")
    assert bytes(x.body) == BODY
    assert "authorization" not in x.headers
    assert "x-key" not in x.headers
    assert x.headers["content-type"] == "a/b"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_U5_a_post_that_is_sent_on_elsewhere_asks_there(
    bench: Any, server: UploadServer, file: Path, status: int
) -> None:
    def answer(x: Exchange) -> None:
        if plain(x):
            return
        x.read()
        if x.method == "POST":
            x.reply(f"{status} There", Location="/result")
        else:
            x.reply(content=b"result")

    server.answer = answer
    end = send(bench, server.url, file, "POST")
    assert (end.status_code, end.content) == (200, b"result")
    assert [x.method for x in server.requests[-2:]] == ["POST", "GET"]
    assert server.requests[-1].length == 0


def test_U4_an_error_in_a_200_is_handed_on_as_it_is(
    bench: Any, server: UploadServer, file: Path
) -> None:
    """As S3 answers when completing fails late: judging that body is its reader's."""
    error = b"<Error><Code>InternalError</Code></Error>"
    server.answer = lambda x: plain(x) or (x.read(), x.reply(content=error))
    end = send(bench, server.url, file)
    assert (end.status_code, end.content) == (200, error)


def test_refused_before_anything_was_sent_is_tried_again_even_for_a_post(
    bench: Any, server: UploadServer, file: Path
) -> None:
    assert send(bench, f"http://localhost:{_closed_port()}/x", file, "POST").code == "refused"


def test_U1_a_post_that_lacks_descriptors_is_tried_again_only_if_none_of_it_was_sent(
    own_bench: Any, server: UploadServer, file: Path
) -> None:
    def answer(x: Exchange) -> None:
        if not plain(x):
            x.read()
            x.reply()

    server.answer = answer
    own_bench.wait_for_worker()
    pid = own_bench.engine.pid
    most = limits.prlimit(pid, limits.RLIMIT_NOFILE)[1]
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    codes = []
    for number in range(used, used + 12):
        limits.prlimit(pid, limits.RLIMIT_NOFILE, (number, most))
        before = len(server.of("POST"))
        end = send(own_bench, server.url, file, "POST")
        if isinstance(end, Uploaded):
            break
        codes.append(end.code)
        was_begun = len(server.of("POST")) > before
        assert end.code == ("response_lost" if was_begun else "no_descriptors")
    assert isinstance(end, Uploaded)
    assert set(codes) == {"no_descriptors", "response_lost"}


def _closed_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
