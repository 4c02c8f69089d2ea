"""What a server says, as far as service and worker have to agree on it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from support.disks import need, tmpfs
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station
from support.tracer import Tracer

SIZE = 3_000_000
BODY = content(SIZE)

Answering = Callable[[Callable[[socket.socket], Any]], str]


@pytest.fixture
def raw() -> Iterator[Answering]:
    """``url = raw(answer)``: what answers every request once its head has come."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, answer: Callable[[socket.socket], Any]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                answer(connection)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    def make(answer: Callable[[socket.socket], Any]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/a.bin"

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("proof", ["none", "size", "checksum"])
def test_N4_a_length_that_nothing_proves_is_flagged(
    station: Station, files: FileServer, raw: Answering, tmp_path: Path, proof: str
) -> None:
    """Cut or not, such a body looks the same: whoever knows size or digest has to say so."""
    files.add("a.bin", BODY)
    url = raw(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY))
    given = {
        "none": {},
        "size": {"size": SIZE},
        "checksum": {"checksum": f"sha256:{files['a.bin'].sha256}"},
    }
    station.submit(url, tmp_path / "a.bin", **given[proof])
    view = station.wait()
    assert view["error"] is None
    assert view["length_unverified"] is (proof == "none")
    assert_identical(tmp_path / "a.bin", BODY)


def test_N4_a_cut_is_noticed_by_the_size(station: Station, raw: Answering, tmp_path: Path) -> None:
    cuts = iter([SIZE // 2])

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY[: next(cuts, SIZE)])

    station.submit(raw(answer), tmp_path / "a.bin", size=SIZE)
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


def test_N4_a_length_that_was_told_is_no_question(
    station: Station, files: FileServer, raw: Answering, tmp_path: Path
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    url = raw(lambda c: c.sendall(head + b"%x\r\n" % SIZE + BODY + b"\r\n0\r\n\r\n"))
    station.submit(files.add("a.bin", BODY), tmp_path / "told.bin")
    station.submit(url, tmp_path / "chunked.bin")
    for number, name in enumerate(("told.bin", "chunked.bin"), 1):
        view = station.wait(number)
        assert (view["error"], view["length_unverified"]) == (None, False)
        assert_identical(tmp_path / name, BODY)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000,
        b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 200_000,
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nB\xe4d Name: x\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
        b"HTTP/9.9 2000 Nonsense\r\n\r\n",
        b"\0\xff" * 1000,
    ],
    ids=["flood_100", "flood_103", "nul", "name", "many", "status", "noise"],
)
def test_S26_a_head_that_makes_no_sense(
    station: Station, files: FileServer, raw: Answering, tmp_path: Path, head: bytes
) -> None:
    """It is tried again, as it may pass; the worker lives and serves others."""
    url = raw(lambda c: c.sendall(head))
    station.submit(url, tmp_path / "bad.bin")
    before = station.worker
    view = station.until(lambda view: view["attempts"] >= 2 or view["state"] == "completed")
    station.submit(files.add("a.bin", BODY), tmp_path / "good.bin")
    assert station.wait(2)["error"] is None
    assert_identical(tmp_path / "good.bin", BODY)
    assert before in (None, station.worker), "the worker died of it"
    if view["state"] == "completed":
        assert view["error"]
    assert not (tmp_path / "bad.bin").exists()


@pytest.mark.parametrize("days", [-3650, 3650])
def test_C3_the_servers_clock_is_off(
    station: Station, raw: Answering, tmp_path: Path, days: int
) -> None:
    """Retry-After as a date is read by the server's own Date: the pause is the difference."""
    now = datetime.now(UTC) + timedelta(days=days)
    heads = iter(
        [
            "HTTP/1.1 503 Busy\r\n"
            f"Date: {format_datetime(now, usegmt=True)}\r\n"
            f"Retry-After: {format_datetime(now + timedelta(seconds=100), usegmt=True)}\r\n"
            "Content-Length: 0\r\n\r\n"
        ]
    )
    good = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode() + BODY
    url = raw(lambda c: c.sendall(next(heads, "").encode() or good))
    station.submit(url, tmp_path / "a.bin")
    view = station.until(lambda view: view["waiting_for"] == "retry")
    assert 90 <= view["until"] - time.time() <= 101
    station.call("retry", number=1)
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


def test_D2_no_inode_is_left(station: Station, files: FileServer, tmp_path: Path) -> None:
    url = files.add("a.bin", BODY)
    with tmpfs(tmp_path / "out", "nr_inodes=3") as out:
        for name in ("one", "two"):
            (out / name).touch()
        station.submit(url, out / "a.bin")
        view = station.until(lambda view: view["waiting_for"] == "disk_space")
        assert view["reason"] == "Disk is full"
        (out / "one").unlink()
        assert station.wait()["error"] is None
        assert_identical(out / "a.bin", BODY)
        station.stop()


@pytest.mark.parametrize("errno", ["EDQUOT", "EFBIG", "ENOSPC"])
def test_D1_D2_the_disk_takes_no_more_for_a_while(
    station: Station, files: FileServer, tmp_path: Path, errno: str
) -> None:
    need("strace")
    url = files.add("a.bin", BODY, rate=4e6, hold_at=300_000)
    station.submit(url, tmp_path / "a.bin")
    station.until(lambda view: view["received"] >= 200_000)
    pid = station.worker
    assert pid
    # Of a pair of calls the first empties the socket, and the second fills the file.
    inject = f"splice:error={errno}:when=10+2"
    tracer = Tracer(pid, ["splice"], inject, tmp_path / "strace.log")
    try:
        files.hold("a.bin", None)
        station.until(lambda view: view["waiting_for"] == "disk_space")
    finally:
        tracer.detach()
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)
    assert any("range" in request for request in files["a.bin"].requests), "it began anew"


def test_D5_short_writes(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path
) -> None:
    """Every other write of service and worker takes fewer bytes than it was given."""
    need("fiu-run")
    point = "enable_random name=posix/io/rw/pwrite/reduce,probability=0.5"
    station = make_station(prefix=["fiu-run", "-x", "-c", point])
    station.submit(files.add("a.bin", BODY), tmp_path / "a.bin")
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


def test_S23_the_length_of_a_redirect_is_not_the_files(
    station: Station, files: FileServer, raw: Answering, tmp_path: Path
) -> None:
    """No HEAD is sent, so none can lie; only the answer with the body counts."""
    url = files.add("a.bin", BODY)
    head = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 5\r\n"
    begin = raw(lambda c: c.sendall(f"{head}Content-Range: bytes 0-4/5\r\n\r\nmoved".encode()))
    station.submit(begin, tmp_path / "a.bin")
    view = station.wait()
    assert (view["error"], view["total"]) == (None, SIZE)
    assert_identical(tmp_path / "a.bin", BODY)
