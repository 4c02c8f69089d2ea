"""Sessions on a JupyterHub: through its proxy, among its users, and beside its idle culler."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from support.fileserver import FileServer, content
from support.jupyterhub import OWNER, VISITOR, Hub

pytestmark = pytest.mark.slow

CELL = """
import jupyter_bgdl as bgdl
session = bgdl.background_session({session!r})
task = session.download({url!r}, to={to!r})
print(task.result(timeout=60) if {waits} else "asked")
"""


def ask(kernel: Any, session: str, url: str, to: Path, *, waits: bool = True) -> str:
    return str(kernel.run(CELL.format(session=session, url=url, to=str(to), waits=waits)).strip())


def sessions(client: httpx.Client) -> list[str]:
    answer = client.get("bgdl/sessions")
    answer.raise_for_status()
    return [session["identifier"] for session in answer.json()["sessions"]]


def headers_of(client: httpx.Client) -> dict[str, str]:
    """What a page's websocket is opened with."""
    cookies = "; ".join(
        f"{c.name}={c.value}" for c in client.cookies.jar if client.base_url.path.startswith(c.path)
    )
    return {"Cookie": cookies, "Origin": client.headers["Origin"]}


async def test_a_kernels_session_is_in_its_users_page_through_the_proxy(
    hub: Hub, files: FileServer, open_socket: Any, tmp_path: Path
) -> None:
    url = files.add("a.bin", content(300_000))
    kernel = hub.start_kernel(OWNER)
    try:
        path = ask(kernel, "kernels", url, tmp_path / "a.bin")
    finally:
        kernel.close()
    assert Path(path).read_bytes() == content(300_000)
    with hub.script(OWNER, OWNER) as script:
        assert "kernels" in sessions(script)
    with hub.page(OWNER, OWNER) as page:
        assert "kernels" in sessions(page)
        destination = hub.home_of(OWNER) / "from-page.bin"
        socket = await open_socket(
            SimpleNamespace(url=str(page.base_url)), headers=headers_of(page)
        )
        await socket.say("watch", session="kernels")
        await socket.until("snapshot")
        spec = {"request": {"url": url}, "destination": str(destination)}
        answer = page.post("bgdl/sessions/kernels/tasks", json={"tasks": [spec]})
        assert answer.status_code == 200, answer.text
        await socket.until("state", lambda m: completed(m, 2))
        assert destination.read_bytes() == content(300_000)
        page.headers.pop("X-XSRFToken")
        assert page.post("bgdl/sessions/kernels/tasks", json={"tasks": [spec]}).status_code == 403


def completed(message: dict[str, Any], number: int) -> bool:
    return any(
        t["task_identifier"] == number and t["state"] == "completed" for t in message["tasks"]
    )


async def test_T3_a_user_cannot_reach_another_users_sessions(hub: Hub, open_socket: Any) -> None:
    for enter in (hub.script, hub.page):
        with enter(OWNER, VISITOR) as client:
            answer = client.get("bgdl/sessions")
            assert answer.status_code == 403, answer.text
            assert "sessions" not in answer.text


async def test_T2_a_visitor_of_a_shared_server_looks_and_does_nothing(
    hub: Hub, files: FileServer, open_socket: Any
) -> None:
    url = files.add("b.bin", content(1000))
    kernel = hub.start_kernel(OWNER)
    try:
        ask(kernel, "shown", url, hub.home_of(OWNER) / "b.bin")
    finally:
        kernel.close()
    spec = {"request": {"url": url}, "destination": f"{hub.home_of(OWNER)}/visitor.bin"}
    for enter in (hub.script, hub.page):
        with enter(VISITOR, OWNER) as client:
            assert "shown" in sessions(client)
            for method, path, body in (
                ("POST", "bgdl/sessions/shown/tasks", {"tasks": [spec]}),
                ("DELETE", "bgdl/sessions/shown", None),
            ):
                answer = client.request(method, path, json=body)
                assert answer.status_code == 403, (path, answer.text)
            headers = (
                headers_of(client)
                if "Origin" in client.headers
                else {"Authorization": client.headers["Authorization"]}
            )
            socket = await open_socket(SimpleNamespace(url=str(client.base_url)), headers=headers)
            await socket.say("watch", session="shown")
            seen = (await socket.until("snapshot"))["sessions"]
            assert [session["identifier"] for session in seen] == ["shown"]
            await socket.say("acknowledge", session="shown", epoch=1, sequence=1)
            assert (await socket.until("refused"))["code"] == "not_authorized"
    with hub.script(OWNER, OWNER) as owner:
        assert "shown" in sessions(owner)


def test_a_server_stopped_in_the_middle_goes_on_at_its_next_start(
    hub: Hub, files: FileServer, tmp_path: Path
) -> None:
    body = content(3_000_000)
    url = files.add("stopped.bin", body, hold_at=2_000_000)
    kernel = hub.start_kernel(VISITOR)
    try:
        ask(kernel, "stopped", url, tmp_path / "stopped.bin", waits=False)
        files.wait_for(lambda: files["stopped.bin"].reached >= 2_000_000)
    finally:
        kernel.close()
    hub.stop_server(VISITOR)
    asked = len(files["stopped.bin"].requests)
    files.hold("stopped.bin", None)
    assert len(files["stopped.bin"].requests) == asked
    hub.start_server(VISITOR)
    hub.until((tmp_path / "stopped.bin").exists, "it did not go on")
    assert (tmp_path / "stopped.bin").read_bytes() == body
    assert "range" in files["stopped.bin"].requests[-1], "it began anew"


def test_transfers_hold_off_the_idle_culler_while_bytes_move(
    hub: Hub, files: FileServer, tmp_path: Path
) -> None:
    url = files.add("slow.bin", content(500_000), hold_at=1000)
    hub.start_server(OWNER)
    hub.start_server(VISITOR)
    kernel = hub.start_kernel(OWNER)
    try:
        ask(kernel, "moving", url, tmp_path / "slow.bin", waits=False)
    finally:
        kernel.shutdown()
    files.wait_for(lambda: files["slow.bin"].reached >= 1000)
    hub.start_server(VISITOR)
    with hub.script(VISITOR, VISITOR) as client:  # Its server is the last to have been used.
        sessions(client)
    culler = hub.cull(timeout=15)
    try:
        hub.until(lambda: hub.is_stopped(VISITOR), "the culler culls nothing")
        culled = time.time()
        # Later than anybody did anything with it: by its transfer alone.
        hub.until(lambda: hub.last_activity(OWNER) > culled, "nothing held the server", 20)
        files.hold("slow.bin", None)
        hub.until(lambda: not hub.runs(OWNER), "a server was held when nothing moved")
    finally:
        culler.terminate()
        culler.wait(20)
    assert (tmp_path / "slow.bin").read_bytes() == content(500_000)
