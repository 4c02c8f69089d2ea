"""The server runs a session's launch cell where nobody is there to hear of its transfers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import TOKEN, JupyterServer, Kernel
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
GRACE, PAUSE = 0.5, 2.0
NOT_PLAIN = re.compile(r"\W")

CELL = """%%background_session {session}
import jupyter_bgdl as bgdl, os, pathlib
handlers = {{}}

@bgdl.handle_events_for_background_session
def relaunched(identifier, completion_handler):
    handlers[identifier] = completion_handler
    print("relaunched", identifier)

class Delegate(bgdl.SessionDelegate):
    def task_did_complete(self, session, task, error):
        with open("{session}.effect", "a") as effect:
            print(os.getpid(), task.name, type(error).__name__, file=effect)
        print("completed", task.name)
    def session_did_finish_events(self, session):
        if done := handlers.pop(session.identifier, None):
            done()
            print("handed back")

session = bgdl.background_session("{session}", delegate=Delegate())
session.download("{url}", to="{session}/")
"""


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    arguments = (
        f"--BackgroundTransfers.launch_grace={GRACE}",
        f"--BackgroundTransfers.launch_pause={PAUSE}",
    )
    with JupyterServer(tmp_path_factory.mktemp("jupyter"), arguments=arguments) as server:
        yield server


class Case:
    """A notebook with a session of the same name, and a download that waits for the test."""

    def __init__(self, jupyter: JupyterServer, files: FileServer, name: str) -> None:
        self.jupyter, self.files, self.name = jupyter, files, name
        self.notebook = f"{name}.ipynb"
        (jupyter.root / self.notebook).write_text(NOTEBOOK)
        self.url = files.add(f"{name}.bin", content(100_000), hold_at=1000)

    def open(self, cell: str = CELL) -> Kernel:
        kernel = self.jupyter.start_kernel(self.notebook)
        kernel.run("%load_ext jupyter_bgdl")
        kernel.run(cell.format(session=self.name, url=self.url))
        return kernel

    def finish(self) -> None:
        self.files.hold(f"{self.name}.bin", None)

    def until_done(self) -> None:
        self.until(lambda: (v := self.view)["counts"]["done"] + v["counts"]["failed"] == 1)

    @property
    def view(self) -> dict[str, Any]:
        return self.jupyter.get(f"bgdl/sessions/{self.name}")  # type: ignore[no-any-return]

    @property
    def effect(self) -> str:
        path = self.jupyter.root / f"{self.name}.effect"
        return path.read_text() if path.exists() else ""

    @property
    def log(self) -> str:
        lines = self.jupyter.get(f"bgdl/sessions/{self.name}/log")["lines"]
        return "".join(line["text"] for line in lines)

    def kernels(self) -> list[str]:
        sessions = self.jupyter.get("api/sessions")
        return [s["kernel"]["id"] for s in sessions if s["path"] == self.notebook]

    def until(self, condition: Callable[[], Any], limit: float = 40.0) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"never; the log:\n{self.log}\n{self.view}"
            time.sleep(0.1)


@pytest.fixture
def case(
    jupyter: JupyterServer, files: FileServer, request: pytest.FixtureRequest
) -> Iterator[Case]:
    made = Case(jupyter, files, NOT_PLAIN.sub("_", request.node.name.removeprefix("test_"))[:40])
    yield made
    made.finish()
    for session in jupyter.get("api/sessions"):
        jupyter.request("DELETE", f"api/sessions/{session['id']}")


def test_for_real(case: Case) -> None:
    kernel = case.open()
    first = kernel.pid
    kernel.shutdown()
    case.finish()
    case.until(lambda: "handed back" in case.log)
    assert case.effect.split()[1:] == ["for_real.bin", "NoneType"]
    assert int(case.effect.split()[0]) != first, "another kernel"
    case.until(lambda: case.kernels() == [] and not case.view["launch"]["running"])
    assert case.view["undelivered"] == 0
    log = case.log
    words = ["Starts a kernel", "relaunched for_real", "completed", "handed back", "shut down"]
    assert [word for word in words if word in log] == words
    assert sorted(words, key=log.index) == words
    assert len(case.files["for_real.bin"].requests) == 1


def test_a_kernel_that_was_restarted_hears_of_it_without_a_cell_run(case: Case) -> None:
    kernel = case.open()
    kernel.restart()
    case.finish()
    case.until(lambda: "handed back" in case.log)
    assert case.kernels() == [kernel.id], "in the notebook's own kernel, which stays"
    assert int(case.effect.split()[0]) == kernel.pid
    assert "Runs the launch cell" in case.log
    kernel.close()


def test_code_was_run_after_the_restart(case: Case) -> None:
    kernel = case.open()
    kernel.restart()
    kernel.run("session = 'mine'")
    case.finish()
    case.until(lambda: case.view["launch"]["notice"])
    assert "Code was run in its kernel" in case.view["launch"]["notice"]
    assert kernel.run("print(session)") == "mine\n"
    assert case.effect == ""
    assert case.view["undelivered"] == 3

    # A person wants it while the kernel is at work: it comes after that.
    go = case.jupyter.root / f"{case.name}.go"
    kernel.client.execute(
        f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
        "session = 'mine still'"
    )
    case.until(lambda: case.jupyter.get(f"api/kernels/{kernel.id}")["execution_state"] == "busy")
    case.jupyter.post(f"bgdl/sessions/{case.name}/launch/run")
    go.touch()
    case.until(lambda: "handed back" in case.log)
    case.until(lambda: not case.view["launch"]["running"])
    assert case.view["launch"]["notice"] is None
    assert kernel.run("print(type(session).__name__)") == "Session\n"
    case.until(lambda: case.view["undelivered"] == 0)
    assert int(case.effect.split()[0]) == kernel.pid
    kernel.close()


FAILS = CELL.replace(
    "import jupyter_bgdl", "open('{session}.runs', 'a').write('x')\n1 / 0\nimport jupyter_bgdl"
)


def test_E8_a_launch_cell_that_fails(case: Case) -> None:
    kernel = case.open(CELL)
    broken = FAILS.format(session=case.name, url=case.url).partition("\n")[2]
    path = f"bgdl/sessions/{case.name}/launch"
    case.jupyter.post(path, {"kernel_id": kernel.id, "source": broken})
    kernel.shutdown()
    case.finish()
    runs = case.jupyter.root / f"{case.name}.runs"
    case.until(lambda: case.view["launch"]["fruitless"] == 1)
    pause = case.view["launch"]["until"] - time.time()
    assert 0 < pause <= PAUSE
    assert "ZeroDivisionError" in case.log
    assert case.view["undelivered"] == 3, "events are kept"
    case.until(lambda: case.view["launch"]["fruitless"] == 2)
    pause = case.view["launch"]["until"] - time.time()
    assert PAUSE < pause <= 2 * PAUSE, "it doubles"
    assert len(runs.read_text()) == 2
    assert case.kernels() == []

    # Nothing was lost: a person runs the cell, and hears all of it.
    kernel = case.open()
    case.until(lambda: "NoneType" in case.effect)
    assert case.view["launch"]["fruitless"] == 0
    kernel.shutdown()


def test_E8_one_launch_at_a_time(case: Case) -> None:
    slow = CELL + "\nimport time; time.sleep(3)\n"
    case.open(slow).shutdown()
    case.finish()
    case.until(lambda: case.view["launch"]["running"])
    with pytest.raises(Exception, match="409"):
        case.jupyter.post(f"bgdl/sessions/{case.name}/launch/run")
    case.until(lambda: "handed back" in case.log)
    case.until(lambda: case.kernels() == [] and not case.view["launch"]["running"])
    assert case.log.count("Starts a kernel") == 1


def test_a_cell_that_takes_no_events_is_launched_once(case: Case) -> None:
    deaf = (
        "%%background_session {session}\nimport jupyter_bgdl as bgdl\n"
        'bgdl.background_session("{session}").download("{url}", to="{session}/")\n'
    )
    case.open(deaf).shutdown()
    case.finish()
    case.until(lambda: not case.view["launch"]["enabled"])
    assert "neither a delegate nor a handler" in case.log
    assert case.log.count("Starts a kernel") == 1


def test_a_failure_is_found_not_tried_again(case: Case) -> None:
    case.files[f"{case.name}.bin"].status = 404
    kernel = case.open()
    kernel.close()
    case.until_done()
    case.jupyter.request("DELETE", f"api/kernels/{kernel.id}")
    case.until(lambda: "HTTPStatusError" in case.effect)
    case.until(lambda: not case.view["launch"]["running"])
    assert case.effect.count("HTTPStatusError") == 1
    assert len(case.files[f"{case.name}.bin"].requests) == 1


def test_a_notebook_that_was_renamed(case: Case) -> None:
    case.open().shutdown()
    case.jupyter.post("api/contents", {"type": "directory"})
    moved = "Untitled Folder/renamed.ipynb"
    case.jupyter.request("PATCH", f"api/contents/{case.notebook}", {"path": moved})
    case.jupyter.request("PATCH", "api/contents/Untitled%20Folder", {"path": "folder"})
    case.until(lambda: case.view["launch"]["notebook"] == "folder/renamed.ipynb")
    case.finish()
    effect = case.jupyter.root / "folder" / f"{case.name}.effect"
    case.until(effect.exists)
    case.until(lambda: not case.view["launch"]["running"])


def test_a_notebook_that_was_deleted(case: Case) -> None:
    case.open().shutdown()
    case.jupyter.request("DELETE", f"api/contents/{case.notebook}")
    case.finish()
    case.until(lambda: case.view["launch"]["notice"])
    assert f"{case.notebook} is not where it was" in case.view["launch"]["notice"]
    assert case.kernels() == []
    assert case.view["undelivered"] == 3


def test_switched_off(case: Case) -> None:
    case.open().shutdown()
    path = f"bgdl/sessions/{case.name}/launch/switch"
    assert case.jupyter.post(path, {"enabled": False})["enabled"] is False
    case.finish()
    case.until_done()
    case.until(lambda: case.view["owner"] is None)
    time.sleep(GRACE + 1)  # Nothing happens: no event tells of that.
    assert case.kernels() == []
    case.jupyter.post(path, {"enabled": True})
    case.until(lambda: "handed back" in case.log)
    case.until(lambda: not case.view["launch"]["running"])


def test_sends_launch_events_is_false(case: Case) -> None:
    cell = CELL.replace("delegate=Delegate()", "delegate=Delegate(), sends_launch_events=False")
    case.open(cell).shutdown()
    case.finish()
    case.until_done()
    case.until(lambda: case.view["owner"] is None)
    time.sleep(GRACE + 1)
    assert case.kernels() == []


def test_a_notebook_that_is_opened_meanwhile_keeps_its_kernel(case: Case) -> None:
    slow = CELL.replace('print("completed"', 'import time; time.sleep(4); print("completed"')
    case.open(slow).shutdown()
    case.finish()
    case.until(lambda: case.effect)
    # As a page does: the session of that path, then its kernel's channels.
    body = {"path": case.notebook, "name": case.notebook, "type": "notebook"}
    opened = case.jupyter.post("api/sessions", {**body, "kernel": {"name": "python3"}})
    assert [opened["kernel"]["id"]] == case.kernels()

    async def stay() -> None:
        url = f"{case.jupyter.url}api/kernels/{opened['kernel']['id']}/channels"
        headers = {"Authorization": f"token {TOKEN}"}
        socket = await websocket_connect(HTTPRequest(url.replace("http", "ws", 1), headers=headers))
        await asyncio.to_thread(case.until, lambda: "its kernel stays" in case.log)
        await asyncio.to_thread(case.until, lambda: "handed back" in case.log)
        socket.close()
        while await socket.read_message() is not None:
            pass

    asyncio.run(stay())
    assert case.kernels() == [opened["kernel"]["id"]]


LIMIT = 6.0
"""Seconds that a launch may take, where a test waits for that."""


@pytest.fixture
def hasty(tmp_path: Path, files: FileServer, request: pytest.FixtureRequest) -> Iterator[Case]:
    """Of a server that gives a launch little time."""
    arguments = (
        f"--BackgroundTransfers.launch_grace={GRACE}",
        "--BackgroundTransfers.launch_pause=600",
        f"--BackgroundTransfers.launch_time_limit={LIMIT}",
    )
    with JupyterServer(tmp_path, arguments=arguments) as server:
        made = Case(server, files, NOT_PLAIN.sub("_", request.node.name.removeprefix("test_"))[:40])
        yield made
        made.finish()


@pytest.mark.parametrize("where", ["cell", "callback"])
def test_a_launch_that_takes_too_long(hasty: Case, where: str) -> None:
    forever = "import time, pathlib; pathlib.Path('begun').touch(); time.sleep(600)"
    slow = CELL + f"\n{forever}\n"
    if where == "callback":
        slow = CELL.replace('print("completed", task.name)', forever)
    kernel = hasty.open()
    hasty.jupyter.post(
        f"bgdl/sessions/{hasty.name}/launch",
        {
            "kernel_id": kernel.id,
            "source": slow.format(session=hasty.name, url=hasty.url).partition("\n")[2],
        },
    )
    kernel.shutdown()
    hasty.finish()
    hasty.until((hasty.jupyter.root / "begun").exists)
    hasty.until(lambda: f"more than {LIMIT:g} s" in hasty.log)
    hasty.until(lambda: not hasty.kernels() and not hasty.view["launch"]["running"])
    view = hasty.view
    assert view["launch"]["enabled"], "it is tried again, later"
    if where == "cell":
        assert view["undelivered"] == 3, "events are kept"
    else:
        # A kernel is interrupted before it is shut down, so the callback raised.
        assert "KeyboardInterrupt" in hasty.log
        assert view["parked"] == 1


@pytest.mark.parametrize("where", ["cell", "callback"])
def test_a_kernel_that_dies(case: Case, where: str) -> None:
    dies = CELL + "\nos._exit(1)\n"
    if where == "callback":
        dies = CELL.replace('print("completed", task.name)', "os._exit(1)")
    kernel = case.open()
    case.jupyter.post(
        f"bgdl/sessions/{case.name}/launch",
        {
            "kernel_id": kernel.id,
            "source": dies.format(session=case.name, url=case.url).partition("\n")[2],
        },
    )
    kernel.shutdown()
    case.finish()
    case.until(lambda: case.view["launch"]["fruitless"] == 1 or not case.view["launch"]["enabled"])
    view = case.view
    assert view["launch"]["enabled"], case.log
    assert "The kernel died." in case.log
    assert view["undelivered"] >= 2
    case.jupyter.post(f"bgdl/sessions/{case.name}/launch/switch", {"enabled": False})
    case.until(lambda: case.kernels() == [] and not case.view["launch"]["running"])
    # Nothing was lost: a person runs the cell, and hears of it.
    kernel = case.open()
    case.until(lambda: case.view["undelivered"] == 0)
    assert "NoneType" in case.effect
    kernel.shutdown()


def test_a_function_of_a_module(case: Case) -> None:
    module = f"launched_{case.name}"
    body = CELL.format(session=case.name, url=case.url).partition("\n")[2]
    body = body.replace("delegate=Delegate()", f'delegate=Delegate(), launch="{module}:main"')
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (case.jupyter.root / f"{module}.py").write_text(f"def main():\n{lines}")
    kernel = case.jupyter.start_kernel(case.notebook)
    kernel.run(f"import {module}; {module}.main()")
    assert case.view["launch"]["target"] == f"{module}:main"
    kernel.shutdown()
    case.finish()
    case.until(lambda: "handed back" in case.log)
    case.until(lambda: case.kernels() == [])


def test_a_handler_that_is_interrupted_is_parked_and_nothing_else_is_lost(case: Case) -> None:
    slow = CELL.replace(
        'print("completed", task.name)',
        'import time\n        if "slow" in task.name: time.sleep(60)\n'
        '        print("completed", task.name)',
    )
    other = case.files.add("interrupted-slow.bin", content(1000))
    kernel = case.open(slow)
    kernel.run(f"session.download({other!r}, to='{case.name}/')")
    case.until(lambda: "slow" in case.effect)
    model = f"api/kernels/{kernel.id}"
    assert case.jupyter.get(model)["execution_state"] == "busy"
    case.finish()
    case.jupyter.post(f"{model}/interrupt")
    case.until(lambda: "KeyboardInterrupt" in case.log)
    case.until(lambda: f"completed {case.name}.bin" in case.log)
    case.until(lambda: case.view["undelivered"] == 0)
    assert case.view["parked"] == 1
    case.until(lambda: case.jupyter.get(model)["execution_state"] == "idle")
    kernel.shutdown()


def test_the_server_was_stopped_before_anybody_heard(tmp_path: Path, files: FileServer) -> None:
    arguments = (f"--BackgroundTransfers.launch_grace={GRACE}",)
    with JupyterServer(tmp_path / "jupyter", arguments=arguments) as jupyter:
        case = Case(jupyter, files, "stopped")
        case.open().close()
        jupyter.stop()
        case.finish()
        jupyter.start()
        # What was moving goes on, the kernel went with its server, and the cell was kept.
        case.until(lambda: "handed back" in case.log)
        case.until(lambda: case.kernels() == [] and not case.view["launch"]["running"])
        assert case.effect.count("stopped.bin NoneType") == 1


DENIES = """
from jupyter_server.auth import Authorizer
from pathlib import Path

class Denies(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        denied = Path({flag!r}).exists() and handler.base_url is not None
        return not (denied and action == "execute" and resource == {resource!r})

c.ServerApp.authorizer_class = Denies
"""


@pytest.mark.parametrize("resource", ["bgdl", "kernels"])
def test_T20_who_may_not_run_code(tmp_path: Path, files: FileServer, resource: str) -> None:
    flag = tmp_path / "denied"
    config = tmp_path / "jupyter" / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text(
        DENIES.format(flag=str(flag), resource=resource)
    )
    arguments = (f"--BackgroundTransfers.launch_grace={GRACE}",)
    with JupyterServer(tmp_path / "jupyter", arguments=arguments) as jupyter:
        case = Case(jupyter, files, f"rights-{resource}")
        kernel = case.open()
        flag.touch()
        cell = CELL.format(session="another", url=case.url)
        said: list[str] = []
        kernel.client.execute_interactive(
            cell, output_hook=lambda m: said.append(m["content"].get("text", "")), timeout=30
        )
        assert "The launch cell was not registered. NotAuthorized" in "".join(said)
        assert jupyter.get("bgdl/sessions/another")["launch"] is None
        with pytest.raises(Exception, match="403"):
            jupyter.get(f"bgdl/sessions/{case.name}/launch")
        # It was registered while that was allowed, and is looked at again when it fires.
        kernel.shutdown()
        case.finish()
        case.until(lambda: case.view["launch"]["notice"])
        assert "does not allow" in case.view["launch"]["notice"]
        assert case.kernels() == []
