"""What would be too much is refused, in words that name the setting, and nothing is lost by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.jupyter import TOKEN, JupyterServer
from support.station import Station, StationError

ENABLED = "--ServerApp.jpserver_extensions={'jupyter_bgdl': True}"
TRAITS = {
    "max_sessions": "2",
    "max_tasks": "5",
    "max_tasks_per_session": "4",
    "max_body_size": "20000",
    "network_policy": "allowlist",
    "network_allowlist": "localhost",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JupyterServer]:
    traits = [f"--BackgroundTransfers.{name}={value}" for name, value in TRAITS.items()]
    with JupyterServer(tmp_path, arguments=(ENABLED, *traits)) as server:
        yield server


def refused(answer: httpx.Response, setting: str, status: int = 429) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == "quota_exceeded"
    assert f"BackgroundTransfers.{setting}" in error["message"], error


def test_T9_T23_the_traits_reach_service_and_worker(server: JupyterServer, tmp_path: Path) -> None:
    """One server for all of them: it takes longer to start than all the rest."""
    headers = {"Authorization": f"token {TOKEN}"}

    def specs(folder: str, count: int, url: str) -> dict[str, Any]:
        places = (str(tmp_path / folder / f"{number}.bin") for number in range(count))
        return {"tasks": [{"request": {"url": url}, "destination": place} for place in places]}

    with FileServer() as files, httpx.Client(headers=headers, trust_env=False) as client:
        url = files.add("a.bin", b"canary")

        def submit(session: str, body: dict[str, Any]) -> httpx.Response:
            return client.post(f"{server.url}bgdl/sessions/{session}/tasks", json=body, timeout=30)

        server.attach("one")
        server.attach("two")
        with suppress(OSError):
            server.attach("three")
        unattended = specs("three", 1, url)
        unattended["tasks"][0]["unattended"] = True
        refused(submit("three", unattended), "max_sessions")
        assert len(server.get("bgdl/sessions")["sessions"]) == 2

        refused(submit("one", specs("one", 5, url)), "max_tasks_per_session")
        assert server.get("bgdl/sessions/one/tasks")["tasks"] == [], "some were taken"
        assert submit("one", specs("one", 4, url)).status_code == 200
        assert submit("one", specs("one", 4, url)).status_code == 200, "these are there already"
        refused(submit("one", specs("more", 1, url)), "max_tasks_per_session")
        refused(submit("two", specs("two", 2, url)), "max_tasks")
        local = url.replace("127.0.0.1", "localhost")
        assert submit("two", specs("two", 1, local)).status_code == 200

        refused(submit("two", specs("long" * 60, 90, url)), "max_body_size", 413)

        def is_over(session: str, number: int) -> bool:
            return bool(server.task(session, number)["state"] == "completed")

        server._until(lambda: is_over("one", 1) and is_over("two", 1), "they hang")
        error = server.task("one", 1)["error"]
        assert error["code"] == "address_not_allowed"
        assert "127.0.0.1" in error["message"]
        assert 'network_policy = "allowlist"' in error["message"]
        assert server.task("two", 1)["error"] is None
        assert len(files["a.bin"].requests) == 1
        # What was refused can be handed in when there is room again.
        server.request("DELETE", "bgdl/sessions/one/tasks/1")
        assert submit("one", specs("more", 1, local)).status_code == 200


@pytest.mark.parametrize("setting", ["max_bytes", "max_bytes_per_session"])
def test_T23_bytes_on_the_disk_and_to_come(tmp_path: Path, setting: str) -> None:
    body = content(800_000)
    with (
        FileServer() as files,
        Station(tmp_path / "home", settings={setting: 1_000_000}) as station,
    ):
        first, second = files.add("a.bin", body), files.add("b.bin", body)
        files.hold("a.bin", 100_000)
        station.submit(first, tmp_path / "a.bin")
        station.until(lambda view: view["total"] == len(body))
        station.submit(second, tmp_path / "b.bin")
        error = station.wait(2)["error"]
        assert error["code"] == "quota_exceeded"
        assert f"BackgroundTransfers.{setting} allows 1000000" in error["message"]
        files.hold("a.bin", None)
        assert station.wait(1)["error"] is None
        assert_identical(tmp_path / "a.bin", body)
        # A finished file is its owner's, and counts no more.
        station.call("retry", number=2)
        assert station.wait(2)["error"] is None
        assert_identical(tmp_path / "b.bin", body)


class _Endless(BaseHTTPRequestHandler):
    """A body without length or end."""

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(65536))
                time.sleep(0.002)


class _Counting(BaseHTTPRequestHandler):
    """How many requests are there at a time, at most."""

    lock = threading.Lock()
    now = most = 0

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        kind = type(self)
        with self.lock:
            kind.now += 1
            kind.most = max(kind.most, kind.now)
        time.sleep(0.1)
        with self.lock:
            kind.now -= 1
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"x")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_T23_a_body_without_an_end_does_not_fill_the_disk(tmp_path: Path) -> None:
    settings = {"max_bytes_per_session": 2_000_000}
    with serving(_Endless) as url, Station(tmp_path / "home", settings=settings) as station:
        station.submit(url, tmp_path / "a.bin")
        view = station.wait(1)
        assert view["error"]["code"] == "quota_exceeded"
        held = sum(path.stat().st_size for path in tmp_path.glob(".*.part"))
        assert held < 200_000_000


def test_T23_connections_to_a_host(tmp_path: Path) -> None:
    limits = {"connections_per_host": 2}
    with serving(_Counting) as url, Station(tmp_path / "home", limits=limits) as station:
        for number in range(8):
            station.submit(f"{url}{number}", tmp_path / f"{number}.bin")
        for number in range(1, 9):
            assert station.wait(number)["error"] is None
    assert _Counting.most == 2


def test_T23_events_that_nobody_hears(tmp_path: Path) -> None:
    settings = {"max_events_per_session": 2}
    with FileServer() as files, Station(tmp_path / "home", settings=settings) as station:
        url = files.add("a.bin", b"x")
        station.submit(url, tmp_path / "a.bin")
        assert station.wait(1)["error"] is None
        with pytest.raises(StationError, match=r"quota_exceeded.*max_events_per_session"):
            station.submit(url, tmp_path / "b.bin")
        station.submit(url, tmp_path / "a.bin")  # A cell that is run again finds its task.
        station.submit(url, tmp_path / "c.bin", unattended=True)  # Nobody is told of this one.
        assert station.wait(2)["error"] is None
