"""One story with a secret in every place that takes one; then everything is searched for them.

A server that logs everything under umask 0, a kernel of it, downloads that arrive, fail, are
redirected and wait for a login, a failure inside the server. A part of each canary tells where it
was handed over, and so through which hole it came out.
"""

from __future__ import annotations

import json
import os
import stat
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from support import figures
from support.fileserver import FileServer, content
from support.jupyter import TOKEN, Kernel
from support.serving import ENABLED, Server
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_bgdl.server.routes import OPERATIONS

CANARY = "canary-71c3"

DEFECT = """
from jupyter_bgdl.service.service import Service
async def defect(self, user, identifier, text, source="callback"):
    raise RuntimeError(text)
Service.append_log = defect
"""

CELL = """
import asyncio, json, os, pathlib
import jupyter_bgdl as bgdl
secret = json.loads(pathlib.Path("secrets.json").read_text())
os.environ["CANARY"] = secret["environment"]
class Delegate(bgdl.SessionDelegate):
    def task_did_complete(self, session, task, error):
        print(task, repr(task), error, repr(error))
session = bgdl.background_session(
    "secret", delegate=Delegate(), additional_headers={"X-Session": secret["session"]},
    timeout_for_resource=60)
proxied = bgdl.background_session("proxied", proxy=secret["proxy"], timeout_for_resource=0.5)
headers = {"Authorization": secret["header"], "Cookie": secret["cookie"], "X-Env": "env:CANARY"}
tasks = []
for n, url in enumerate(secret["urls"]):
    tasks.append(session.download(url, to=f"out/{n}.bin", headers=headers,
                                  mirrors=secret["mirrors"][n:], key=secret["key"] + str(n)))
tasks.append(proxied.download(secret["plain"], to="out/proxied.bin"))
upload = session.upload_task(bgdl.Request(secret["upload"], headers=headers, method="PUT"),
                             from_file="secrets.json")
upload.resume()
print(session, repr(session), session.configuration, proxied.configuration)
print(tasks, [str(t) for t in tasks], [t.description for t in tasks if hasattr(t, "description")])
display(session, proxied, *tasks, upload)
"""

WRONG = (
    "session.download(secret['urls'][0].replace('http', 'ftp'), to='out/x')",
    "session.download(secret['urls'][0], to='out/x', headers={'X-\\n': secret['header']})",
    "session.download(secret['urls'][0], to='out/x', headers={'X': secret['header'] + '\\n'})",
    "session.download(secret['urls'][0] + '\\n', to='out/x')",
    "session.download(secret['urls'][0].replace('127.0.0.1', '['), to='out/x')",
    "session.download(secret['urls'][0], to='out/0.bin')",
    "session.download(secret['urls'][0], to='out/x', checksum=secret['header'])",
    "bgdl.background_session('other', proxy=secret['proxy'].replace('http', 'gopher'))",
    "bgdl.background_session('other', additional_headers={'X\\n': secret['header']})",
    "await tasks[3]",
    "tasks[2].resume_data",
)
"""Each raises; what the notebook keeps of it is the traceback."""


class Story:
    """What was said and kept, by the place where it can be read."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.texts: dict[str, list[str]] = {}

    def note(self, place: str, text: str | bytes) -> None:
        readable = text.decode(errors="replace") if isinstance(text, bytes) else text
        self.texts.setdefault(place, []).append(readable)


def secrets(files: FileServer, other: FileServer) -> dict[str, Any]:
    """The canaries, and the files behind their addresses."""
    for name, behaviour in {
        "good.bin": {},
        "held.bin": {"hold_at": 1000},
        "missing.bin": {"status": 404},
        "login.bin": {"status": 401},
        "failing.bin": {"status": 503},
        "put.bin": {"status": 403},
        "redirecting.bin": {
            "status": 302,
            "headers": {
                "Location": f"http://u:{CANARY}-hop@127.0.0.1:{other.port}/far.bin"
                f"?sig={CANARY}-signature",
                "Set-Cookie": f"c={CANARY}-set; Path=/",
            },
        },
    }.items():
        body = f"{CANARY}-body".encode() if "status" in behaviour else content(200_000)
        files.add(name, body, **behaviour)
    other.add("far.bin", b"", status=404)

    def url(name: str) -> str:
        return f"http://u:{CANARY}-userinfo@127.0.0.1:{files.port}/{name}"

    query = f"?X-Amz-Signature={CANARY}-query&{CANARY}-bare#{CANARY}-fragment"
    names = ("good.bin", "held.bin", "login.bin", "missing.bin", "failing.bin", "redirecting.bin")
    return {
        "environment": f"{CANARY}-environment",
        "session": f"{CANARY}-session",
        "proxy": f"http://u:{CANARY}-proxy@127.0.0.1:1/",
        "header": f"Bearer {CANARY}-header",
        "cookie": f"c={CANARY}-cookie",
        "key": f"{CANARY}-key",
        "mirrors": [f"http://127.0.0.1:1/mirror?sig={CANARY}-mirror"],
        "urls": [url(name) + query for name in names],
        "plain": f"http://far.invalid/?sig={CANARY}-proxied",
        "upload": url("put.bin") + query,
    }


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    home = tmp_path_factory.mktemp("story")
    (home / "config").mkdir()
    (home / "config" / "jupyter_server_config.py").write_text(DEFECT)
    before = os.umask(0)
    try:
        server = Server(home, arguments=(ENABLED, "--debug"))
        server.start()
    finally:
        os.umask(before)
    told = Story(server)
    try:
        with FileServer() as files, FileServer() as other:
            given = server.root / "secrets.json"
            given.touch(0o600)
            given.write_text(json.dumps(secrets(files, other)))
            kernel = server.start_kernel()
            try:
                play(told, kernel, files)
            finally:
                kernel.shutdown()
            given.unlink()
            look_at_files(told)
        yield told
    finally:
        server.stop()


def play(story: Story, kernel: Kernel, files: FileServer) -> None:
    server = story.server
    cells = [run(kernel, CELL)]
    files.wait_for(lambda: files["held.bin"].reached >= 1000)
    look_at_processes(story)
    server._until(lambda: server.get("bgdl/sessions/secret")["counts"]["failed"] >= 2, "failures")
    cells += [run(kernel, line) for line in WRONG]
    files.hold("held.bin", None)
    server._until(lambda: server.get("bgdl/sessions/secret")["counts"]["done"] >= 2, "downloads")
    cells.append(run(kernel, "await asyncio.sleep(0.2)\ndisplay(session, *tasks)"))
    for message in (message for cell in cells for message in cell):
        story.note("notebook", json.dumps(message["content"], default=str))
    save(story, cells)
    ask_everything(story)


def run(kernel: Kernel, code: str) -> list[dict[str, Any]]:
    """All that the front end hears of a cell, widgets and tracebacks included."""
    heard: list[dict[str, Any]] = []
    kernel.client.execute_interactive(code, allow_stdin=False, timeout=60, output_hook=heard.append)
    return heard


def save(story: Story, cells: list[list[dict[str, Any]]]) -> None:
    notebook = nbformat.v4.new_notebook()
    for cell in cells:
        kept = [
            nbformat.v4.output_from_msg(message)
            for message in cell
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error")
        ]
        notebook.cells.append(nbformat.v4.new_code_cell("# a cell", outputs=kept))
    story.note("notebook", nbformat.writes(notebook))
    story.note("notebook", HTMLExporter().from_notebook_node(notebook)[0])


def look_at_processes(story: Story) -> None:
    """Arguments and environments of the server, its worker and its kernels."""
    server = story.server
    pids = [server.pid]
    for pid in pids:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += [int(child) for child in children.read_text().split()]
    assert len(pids) >= 3, "a worker and a kernel run"
    for pid in pids:
        for file in ("cmdline", "environ"):
            text = Path(f"/proc/{pid}/{file}").read_bytes()
            # The token of the tests is in the arguments: a person gave it there.
            story.note("processes", text.replace(TOKEN.encode(), b""))


def ask_everything(story: Story) -> None:
    server = story.server
    for operation in OPERATIONS:
        if operation.method != "GET" or operation.name == "content":
            continue  # "content" is what the far server answered to an upload, for its owner.
        for session in ("secret", "proxied"):
            for number in range(1, 8):
                path = operation.path.format(identifier=session, number=number).lstrip("/")
                story.note("rest", answered(server, "GET", path))
                if "{number}" not in operation.path:
                    break
    for number in range(1, 8):
        story.note("rest", answered(server, "POST", f"bgdl/sessions/secret/tasks/{number}/retry"))
    story.note("rest", answered(server, "POST", "bgdl/sessions/secret/log", {"text": CANARY}))
    with server.client(Authorization=f"token {TOKEN}", Cookie=f"c={CANARY}-cookie") as client:
        client.get("bgdl/nothing", params={"sig": CANARY}, headers={"Referer": f"/?sig={CANARY}"})
    wrong = {"tasks": [{"request": {"url": 1, "headers": {"X": CANARY}}, CANARY: CANARY}]}
    story.note("rest", answered(server, "POST", "bgdl/sessions/secret/tasks", wrong))


def answered(server: Server, method: str, path: str, body: Any = None) -> str:
    try:
        return json.dumps(server.request(method, path, body))
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.read().decode()


def look_at_files(story: Story) -> None:
    """A file that holds a canary is in the folder of the state, and its owner's alone."""
    server = story.server
    state = server.home / "data" / "bgdl"
    holding = 0
    for path in [server.home, *server.home.rglob("*")]:
        for attribute in os.listxattr(path, follow_symlinks=False):
            value = os.getxattr(path, attribute, follow_symlinks=False)
            story.note("xattrs", f"{attribute}={value!r}")
        story.note("names", str(path))
        if not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_relative_to(state):
            if CANARY.encode() in path.read_bytes():
                holding += 1
            if mode & 0o077:
                story.note("files", f"{path} {mode:o} {CANARY}")
        elif path != server.log and CANARY.encode() in path.read_bytes():
            story.note("files", f"{path} {CANARY}")
    assert holding, "no secret is anywhere: the story has none"


@pytest.fixture
def no_canary(story: Story) -> Any:
    """``no_canary("rest")``: nothing of what was read there holds one."""

    def search(*places: str) -> None:
        held = story.server.credentials["token"]
        found = []
        for place in places:
            for text in story.texts.get(place, []):
                found += [
                    (place, text[max(0, at - 200) : at + 60])
                    for canary in (CANARY, held)
                    if (at := text.find(canary)) >= 0
                ]
        figures.count(figures.CANARIES, found)
        assert found == []

    return search


def test_T12_T14_no_answer_of_any_operation_holds_a_secret(story: Story, no_canary: Any) -> None:
    texts = "\n".join(story.texts["rest"])
    assert "good.bin" in texts
    assert "The server failed; its log says where." in texts
    no_canary("rest")


def test_T12_no_line_of_the_log_holds_a_secret(story: Story, no_canary: Any) -> None:
    log = story.server.logged()
    assert "RuntimeError" in log, "the failure inside was not logged"
    assert "DEBUG" in log or "[D " in log
    story.note("log", log)
    no_canary("log")


async def test_T14_no_message_or_event_holds_a_secret(story: Story, no_canary: Any) -> None:
    server = story.server
    server.attach("secret")  # The kernel is gone, and its events wait for whoever comes next.
    epoch = server.post(
        "bgdl/sessions/secret/attach",
        {
            "protocol": 1,
            "kernel": {
                "incarnation": "listener",
                "pid": os.getpid(),
                "host": "elsewhere",
                "started": 0.0,
                "directory": str(server.root),
                "inode": server.root.stat().st_ino,
            },
            "configuration": {},
            "take_over": True,
        },
    )["epoch"]
    url = server.url.replace("http", "ws", 1) + "bgdl/channel"
    request = HTTPRequest(url, headers={"Authorization": f"token {TOKEN}"}, request_timeout=30)
    socket = await websocket_connect(request)
    for message in (
        {"type": "hello", "incarnation": "listener"},
        {"type": "watch"},
        {"type": "watch", "session": "secret"},
        {"type": "deliver", "session": "secret", "epoch": epoch, "parked": True},
        {"type": "nothing", "headers": CANARY},
        {"type": "watch", "session": f"{CANARY}/"},
        {"type": "acknowledge", "session": "secret", "epoch": epoch, "sequence": f"{CANARY}"},
    ):
        await socket.write_message(json.dumps(message))
    await socket.write_message(f"{CANARY} no JSON")
    server.post("bgdl/sessions/secret/tasks/4/retry")
    kinds: list[str] = []
    while kinds.count("refused") < 4 or "event" not in kinds or kinds.count("snapshot") < 2:
        text = await socket.read_message()
        assert isinstance(text, str)
        kinds.append(json.loads(text)["type"])
        story.note("websocket", text)
    socket.close()
    no_canary("websocket")


def test_T15_no_output_and_no_saved_notebook_holds_a_secret(story: Story, no_canary: Any) -> None:
    texts = "\n".join(story.texts["notebook"])
    assert "1.bin" in texts
    assert "InvalidRequest" in texts, "no traceback was kept"
    no_canary("notebook")


def test_T15_no_extended_attribute_and_no_file_name_holds_a_secret(no_canary: Any) -> None:
    no_canary("xattrs", "names")


def test_T12_no_argument_or_environment_of_a_process_holds_a_secret(
    story: Story, no_canary: Any
) -> None:
    assert len(story.texts["processes"]) >= 6
    no_canary("processes")


def test_T13_what_holds_a_secret_is_the_owners_alone(no_canary: Any) -> None:
    no_canary("files")
