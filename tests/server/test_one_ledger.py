"""Two servers over one state folder: one serves, the other says who does."""

from __future__ import annotations

import asyncio
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


def serves(server: Any) -> bool:
    try:
        server.get("bgdl/sessions")
    except urllib.error.HTTPError:
        return False
    return True
