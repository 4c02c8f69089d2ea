"""Transfers keep a server from being stopped for inactivity, as far as it was told so."""

from __future__ import annotations

import time
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "hours", "by_moving", "by_waiting"),
    [
        ("moving", 168, True, False),
        ("pending", 168, True, True),
        ("never", 168, False, False),
        ("pending", 0.0001, False, False),
    ],
)
async def test_what_keeps_it(
    tmp_path: Path,
    make_server: Any,
    open_socket: Any,
    files: FileServer,
    mode: str,
    hours: float,
    by_moving: bool,
    by_waiting: bool,
) -> None:
    arguments = (
        f"--BackgroundTransfers.keep_alive={mode}",
        f"--BackgroundTransfers.keep_alive_hours={hours}",
    )
    with make_server(tmp_path / "jupyter", arguments=arguments) as server:
        server.attach("s")
        # An open page watches, and asks; neither counts.
        socket = await open_socket(server)
        await socket.say("watch")
        submit(
            server, tmp_path, files.add("later.bin", b"x"), earliest_begin_date=time.time() + 3600
        )
        if hours < 1:
            assert "it may be stopped for inactivity" in until_logged(server)
        server.get("bgdl/sessions/s/tasks")
        assert becomes_active(server) is by_waiting
        submit(server, tmp_path, files.add("now.bin", content(100_000), hold_at=1000))
        files.wait_for(lambda: files["now.bin"].reached == 1000)
        assert becomes_active(server) is by_moving
        files.hold("now.bin", None)


def until_logged(server: Any) -> str:
    deadline = time.monotonic() + 3 * INTERVAL
    while "stopped for inactivity" not in server.logged():
        assert time.monotonic() < deadline, server.logged()[-2000:]
        time.sleep(0.2)
    return str(server.logged())
