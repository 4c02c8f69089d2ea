"""Secrets: what is written, what is logged and what is handed back."""

from __future__ import annotations

import json
import os
import stat
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import TOKEN

from jupyter_bgdl.model import Credentials
from jupyter_bgdl.server.credentials import CredentialsFile, local_url
from jupyter_bgdl.server.redaction import describe

CANARY = "canary-5e0f"


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory, make_server: Any) -> Iterator[Any]:
    """A server started under umask 0 that logs everything."""
    before = os.umask(0)
    try:
        server = make_server(
            tmp_path_factory.mktemp("careless"),
            arguments=("--ServerApp.jpserver_extensions={'jupyter_bgdl': True}", "--debug"),
        )
        server.start()
    finally:
        os.umask(before)
    yield server
    server.stop()


@pytest.fixture
def secretive(
    careless: Any, files: FileServer, attach: Callable[..., dict[str, Any]], tmp_path: Path
) -> Any:
    """The server after tasks with secrets in every place that takes one."""
    attach(
        careless,
        "secretive",
        "one",
        configuration={"additional_headers": {"X-Session": f"{CANARY}-session"}},
    )
    files.add("a.bin", content(1000))
    port = files.port
    for n, url in enumerate(
        (
            f"http://user:{CANARY}-userinfo@127.0.0.1:{port}/a.bin",
            f"http://127.0.0.1:{port}/a.bin?X-Amz-Signature={CANARY}-query&x={CANARY}-other",
            f"http://127.0.0.1:{port}/a.bin#{CANARY}-fragment",
            f"http://127.0.0.1:{port}/missing.bin?sig={CANARY}-failed",
            f"http://127.0.0.1:1/refused.bin?sig={CANARY}-refused",
        )
    ):
        headers = {"Authorization": f"Bearer {CANARY}-header"}
        spec = {"request": {"url": url, "headers": headers}, "destination": f"{tmp_path}/{n}"}
        careless.post("bgdl/sessions/secretive/tasks", {"tasks": [spec]})
    files.wait_for(lambda: len(files["a.bin"].requests) >= 3)
    return careless


def told(server: Any, path: str) -> str:
    """The answer, a refusal's as well: a download has no content that a server answered."""
    try:
        return json.dumps(server.get(path))
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.read().decode()


async def test_T14_nothing_hands_a_secret_back(secretive: Any, open_socket: Any) -> None:
    document = secretive.get("bgdl/openapi.json")
    paths = [path for path, verbs in document["paths"].items() if "get" in verbs]
    assert len(paths) > 6
    numbers = [
        t["task_identifier"] for t in secretive.get("bgdl/sessions/secretive/tasks")["tasks"]
    ]
    assert len(numbers) == 5
    answers = [
        told(secretive, path.format(identifier="secretive", number=number).lstrip("/"))
        for path in paths
        if path != "/bgdl/channel"
        for number in (numbers if "{number}" in path else numbers[:1])
    ]
    socket = await open_socket(secretive)
    epoch = 1
    await socket.say("hello", incarnation="one")
    await socket.say("watch", session="secretive")
    await socket.say("deliver", session="secretive", epoch=epoch)
    done = set()
    while len(done) < 4:
        event = (await socket.until("event"))["event"]
        if event["kind"] == "completed":
            done.add(event["task"]["task_identifier"])
    answers += [json.dumps(message) for message in socket.seen]
    assert any("snapshot" in answer for answer in answers)
    assert [answer for answer in answers if CANARY in answer] == []


async def test_T12_nothing_logs_a_secret(secretive: Any, open_socket: Any) -> None:
    with secretive.client(
        Authorization=f"token {TOKEN}",
        X_Canary=f"{CANARY}-header",
        Cookie=f"c={CANARY}-cookie",
        Referer=f"http://x/?sig={CANARY}-referer",
    ) as client:
        for path in ("bgdl/sessions", "bgdl/nothing", "bgdl/sessions/none/tasks"):
            client.get(path, params={"signature": f"{CANARY}-query"})
        body = {"tasks": [{"request": {"url": f"ftp://{CANARY}-body"}, "nope": f"{CANARY}"}]}
        assert client.post("bgdl/sessions/secretive/tasks", json=body).status_code == 400
        body = {"tasks": [{"request": {"url": f"ftp://h/{CANARY}-body"}, "destination": "/x"}]}
        assert client.post("bgdl/sessions/secretive/tasks", json=body).status_code == 400
    with pytest.raises(Exception, match="403"):
        await open_socket(
            secretive, query=f"?token={CANARY}-token", headers={"Origin": "https://evil.example"}
        )
    socket = await open_socket(secretive, query=f"?token={TOKEN}")
    await socket.connection.write_message(f"{CANARY}-no-json")
    assert (await socket.next())["code"] == "invalid_request"
    secret = secretive.credentials["token"]
    log = secretive.logged()
    assert "GET /bgdl/nothing" in log
    assert [line for line in log.splitlines() if CANARY in line or secret in line] == []


def test_T12_a_failure_inside_is_logged_without_its_words(
    tmp_path: Path, make_server: Any, attach: Callable[..., dict[str, Any]]
) -> None:
    # A defect stands in for all defects: it raises with what the request brought.
    config = tmp_path / "jupyter" / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text(
        "from jupyter_bgdl.service.service import Service\n"
        "async def defect(self, user, identifier, text, source='callback'):\n"
        "    try:\n"
        "        raise KeyError(text)\n"
        "    except KeyError as error:\n"
        "        raise RuntimeError(text) from error\n"
        "Service.append_log = defect\n"
    )
    with make_server(
        tmp_path / "jupyter",
        arguments=("--ServerApp.jpserver_extensions={'jupyter_bgdl': True}", "--debug"),
    ) as server:
        attach(server, "s", "one")
        with server.client(
            X_BGDL_Token=server.credentials["token"], Cookie=f"c={CANARY}-cookie"
        ) as client:
            answer = client.post(
                f"bgdl/sessions/s/log?sig={CANARY}-query", json={"text": f"{CANARY}-body"}
            )
            secret = server.credentials["token"]
    assert answer.status_code == 500
    assert answer.json() == {
        "error": {"code": "error", "message": "The server failed; its log says where."}
    }
    log = server.logged()
    assert "builtins.KeyError" in log
    assert "in defect" in log
    assert CANARY not in log
    assert secret not in log


def test_a_description_holds_the_causes_but_no_message() -> None:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError(CANARY) from error
    except ValueError as error:
        text = describe(error)
    assert text.index("builtins.KeyError") < text.index("builtins.ValueError")
    assert CANARY not in text


def test_T13_every_file_is_the_owners_alone_under_umask_0(secretive: Any) -> None:
    state = secretive.home / "data" / "bgdl"
    found = [secretive.credentials_path, *state.rglob("*")]
    assert len(found) > 2
    for path in found:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_T13_the_credentials_file_replaces_what_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTER_BGDL_CREDENTIALS", raising=False)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file = CredentialsFile(tmp_path)
    file.path.symlink_to(victim)
    before = os.umask(0)
    try:
        file.write(Credentials(url="http://127.0.0.1:1/", token="t", pid=file.pid))
    finally:
        os.umask(before)
    assert victim.read_text() == "mine"
    assert not file.path.is_symlink()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert os.environ["JUPYTER_BGDL_CREDENTIALS"] == str(file.path)
    file.remove()
    assert not file.path.exists()
    assert "JUPYTER_BGDL_CREDENTIALS" not in os.environ
    file.remove()


def test_kernels_inherit_the_path_and_nothing_else(server: Any) -> None:
    credentials = server.credentials
    assert credentials["url"] == server.url
    assert credentials["pid"] == server.pid
    kernel = server.start_kernel()
    try:
        environment = json.loads(kernel.run("import os, json; print(json.dumps({**os.environ}))"))
    finally:
        kernel.shutdown()
    assert environment["JUPYTER_BGDL_CREDENTIALS"] == str(server.credentials_path)
    assert credentials["token"] not in json.dumps(environment)


def test_the_file_goes_with_the_server(tmp_path: Path, make_server: Any) -> None:
    with make_server(
        tmp_path / "jupyter",
        arguments=(
            "--ServerApp.jpserver_extensions={'jupyter_bgdl': True}",
            "--ServerApp.base_url=/hub/user",
        ),
    ) as server:
        path = server.credentials_path
        assert server.credentials["url"].endswith("/hub/user/")
        with server.client(X_BGDL_Token=server.credentials["token"]) as kernel:
            answer = kernel.get(server.credentials["url"] + "bgdl/sessions")
            assert answer.json() == {"sessions": []}
    assert server.process.returncode == 0
    assert not path.exists()
    assert "Traceback" not in server.logged()


@pytest.mark.parametrize(
    ("ip", "url"),
    [
        ("localhost", "http://127.0.0.1:8888/"),
        ("", "http://127.0.0.1:8888/"),
        ("0.0.0.0", "http://127.0.0.1:8888/"),
        ("*", "http://127.0.0.1:8888/"),
        ("::", "http://[::1]:8888/"),
        ("::1", "http://[::1]:8888/"),
        ("10.1.2.3", "http://10.1.2.3:8888/"),
    ],
)
def test_where_kernels_reach_the_server(ip: str, url: str) -> None:
    assert local_url(ip, 8888, "/", tls=False) == url
    assert local_url(ip, 8888, "/", tls=True) == url.replace("http", "https")
