"""Transfers keep a server from being stopped for inactivity, as far as it was told so."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content

INTERVAL = 10.0
"""Seconds between two looks at what there is to keep it for."""


def active(server: Any) -> float:
    """When the server was last active, as a hub's culler is told."""
    return datetime.fromisoformat(server.get("api/status")["last_activity"]).timestamp()


def becomes_active(server: Any, within: float = INTERVAL + 4) -> bool:
    """Whether the server counts as active from now on. That it does not is seen by waiting only."""
    begin, end = time.time(), time.monotonic() + within
    while active(server) < begin:
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def submit(server: Any, folder: Path, url: str, **fields: Any) -> None:
    spec = {"request": {"url": url}, "destination": f"{folder}/{Path(url).name}", **fields}
    server.post("bgdl/sessions/s/tasks", {"tasks": [spec]})


CASES = [
    ("moving", 168, True, False),
    ("pending", 168, True, True),
    ("never", 168, False, False),
    ("pending", 0.0001, False, False),
]


@pytest.mark.slow
async def test_what_keeps_it(
    tmp_path: Path, make_server: Any, open_socket: Any, files: FileServer
) -> None:
    """All servers at once: that nothing happens takes its time."""
    later = files.add("later.bin", b"x")
    now = files.add("now.bin", content(100_000), hold_at=1000)
    with ExitStack() as stack, ThreadPoolExecutor(len(CASES)) as threads:
        servers = []
        for number, (mode, hours, _, _) in enumerate(CASES):
            arguments = (
                f"--BackgroundTransfers.keep_alive={mode}",
                f"--BackgroundTransfers.keep_alive_hours={hours}",
            )
            folder = tmp_path / f"jupyter-{number}"
            server = stack.enter_context(make_server(folder, arguments=arguments))
            servers.append(server)
            server.attach("s")
            # An open page watches, and asks; neither counts.
            socket = await open_socket(server)
            await socket.say("watch")
            submit(server, folder, later, earliest_begin_date=time.time() + 3600)
            if hours < 1:
                assert "it may be stopped for inactivity" in until_logged(server)
            server.get("bgdl/sessions/s/tasks")
        kept = dict(zip(CASES, threads.map(becomes_active, servers), strict=True))
        assert kept == {case: case[3] for case in CASES}, "by what waits"
        for number, server in enumerate(servers):
            submit(server, tmp_path / f"jupyter-{number}", now)
        files.wait_for(lambda: len(files["now.bin"].requests) >= len(servers))
        kept = dict(zip(CASES, threads.map(becomes_active, servers), strict=True))
        assert kept == {case: case[2] for case in CASES}, "by what moves"
        files.hold("now.bin", None)


def until_logged(server: Any) -> str:
    deadline = time.monotonic() + 3 * INTERVAL
    while "stopped for inactivity" not in server.logged():
        assert time.monotonic() < deadline, server.logged()[-2000:]
        time.sleep(0.2)
    return str(server.logged())
