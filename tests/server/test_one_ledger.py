"""Two servers over one state folder: one serves, the other says who does."""

from __future__ import annotations

import asyncio
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ENABLED = "--ServerApp.jpserver_extensions={'jupyter_bgdl': True}"


async def test_P6_the_second_server_names_the_first_and_takes_over_when_it_is_gone(
    tmp_path: Path, make_server: Any, open_socket: Any, attach: Callable[..., dict[str, Any]]
) -> None:
    state = f"--BackgroundTransfers.state_dir={tmp_path}/state"
    first = make_server(tmp_path / "first", arguments=(ENABLED, state))
    second = make_server(tmp_path / "second", arguments=(ENABLED, state))
    second.expected = 503
    with first, second:
        attach(first, "kept", "one")
        with pytest.raises(urllib.error.HTTPError) as unavailable:
            second.get("bgdl/sessions")
        assert unavailable.value.code == 503
        assert first.url.rstrip("/") in unavailable.value.read().decode()
        socket = await open_socket(second)
        await socket.say("watch", session=None)
        assert (await socket.next())["code"] == "server_unavailable"
        assert await socket.next() is None, "a page would wait for ever"
        first.kill()
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(serves, second):
                await asyncio.sleep(0.1)
        assert [s["identifier"] for s in second.get("bgdl/sessions")["sessions"]] == ["kept"]


def test_P6_a_kernel_of_the_second_server_speaks_to_the_first_until_that_is_gone(
    tmp_path: Path, make_server: Any, files: Any
) -> None:
    state = f"--BackgroundTransfers.state_dir={tmp_path}/state"
    runtime = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "first" / "runtime")}
    first = make_server(tmp_path / "first", arguments=(ENABLED, state))
    second = make_server(tmp_path / "second", arguments=(ENABLED, state), environment=runtime)
    second.runtime = first.runtime
    second.expected = 503
    url = files.add("shared.bin", bytes(3_000_000), hold_at=1_000_000)
    with first, second:
        kernel = second.start_kernel("shared.ipynb")
        try:
            kernel.run("import jupyter_bgdl as bgdl; session = bgdl.background_session('shared')")
            kernel.run(f"task = session.download({url!r})")
            [view] = first.get("bgdl/sessions")["sessions"]
            assert view["owner"]["name"] == "shared.ipynb"
            first.kill()
            deadline = time.monotonic() + 30
            while not serves(second):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            files.hold("shared.bin", None)
            name = kernel.run("print(task.result(timeout=50).name)", timeout=60)
            assert name == "shared.bin\n"
            [view] = second.get("bgdl/sessions")["sessions"]
            assert view["counts"]["done"] == 1
        finally:
            kernel.shutdown()


def serves(server: Any) -> bool:
    try:
        server.get("bgdl/sessions")
    except urllib.error.HTTPError:
        return False
    return True
