"""The same delegates and handlers, heard in a kernel with a Jupyter server and in one without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import pytest
from support.fileserver import FileServer, content

ROOT = Path(__file__).resolve().parents[2]

DELEGATE = """
class Delegate(bgdl.SessionDelegate):
    def download_task_did_finish_downloading(self, session, task, location):
        calls.append(("finish", task.task_identifier, location.read_bytes()[:3]))
        task.move_to(folder)
    def task_did_complete(self, session, task, error):
        calls.append(("complete", task.task_identifier, type(error).__name__))
    def session_did_finish_events(self, session):
        calls.append(("all", None, None))
    def session_did_become_invalid(self, session):
        calls.append(("invalid", None, None))
session = bgdl.Session(session.configuration, Delegate())
"""


class AnyKernel(Protocol):
    def run(self, code: str) -> str: ...


@pytest.fixture(params=["server", "in-process"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> AnyKernel:
    """A kernel in which ``session`` is a new session, moved by the server or by the kernel."""
    if request.param == "server":
        made: AnyKernel = request.getfixturevalue("notebooks").open()
        attach = f"bgdl.background_session({request.node.name!r})"
    else:
        made = request.getfixturevalue("kernel7")
        attach = "bgdl.Session(bgdl.SessionConfiguration.default())"
    made.run(
        f"import jupyter_bgdl as bgdl; calls = []; folder = {str(tmp_path / 'to') + '/'!r}\n"
        f"session = {attach}"
    )
    return made


def eventually(kernel: AnyKernel, expression: str, limit: float = 20.0) -> None:
    """Until ``expression`` is true in the kernel. Each look is a cell, so jobs run in between."""
    deadline = time.monotonic() + limit
    while kernel.run(f"print(bool({expression}))") != "True\n":
        assert time.monotonic() < deadline, f"never: {expression}"
        time.sleep(0.05)


def test_a_delegate_hears_finish_complete_all(kernel: AnyKernel, files: FileServer) -> None:
    url = files.add("both-order.bin", content(1000))
    kernel.run(DELEGATE)
    kernel.run(f"task = session.download_task({url!r}); task.resume(); session.wait(timeout=10)")
    start = content(1000)[:3]
    assert kernel.run("print(calls)") == (
        f"[('finish', 1, {start!r}), ('complete', 1, 'NoneType'), ('all', None, None)]\n"
    )
    assert kernel.run("print(task.path.parent.name, task.path.name)") == "to both-order.bin\n"


def test_a_failure_and_a_cancellation_are_told(kernel: AnyKernel, files: FileServer) -> None:
    held = files.add("both-held.bin", content(300_000), hold_at=1000)
    missing = held.replace("both-held", "nothing")
    kernel.run(DELEGATE)
    kernel.run(f"held = session.download({held!r}, to=folder)")
    kernel.run(f"bad = session.download({missing!r}, to=folder)")
    eventually(kernel, "len(calls) == 1")
    kernel.run("held.cancel(); session.wait(timeout=10)")
    assert kernel.run("print(calls)") == (
        "[('complete', 2, 'HTTPStatusError'), ('complete', 1, 'Cancelled'), ('all', None, None)]\n"
    )


def test_handlers_registered_later_hear_everything(kernel: AnyKernel, files: FileServer) -> None:
    url = files.add("both-later.bin", content(1000))
    kernel.run(f"task = session.download({url!r}, to=folder); task.result(timeout=10)")
    kernel.run(
        "@session.on_finish\n"
        "async def finished(task, path): calls.append(path.name)\n"
        "session.wait(timeout=10)"
    )
    assert kernel.run("print(calls)") == "['both-later.bin']\n"


def test_a_raising_handler_is_parked_until_it_is_registered_again(
    kernel: AnyKernel, files: FileServer
) -> None:
    url = files.add("both-parked.bin", content(1000))
    cell = (
        "@session.on_finish\n"
        "def finished(task, path):\n"
        "    calls.append(task.redelivered)\n"
        "    if {raising}: raise ValueError('no luck')\n"
        "session.wait(timeout=10)"
    )
    kernel.run(f"session.download({url!r}, to=folder)\n" + cell.format(raising=True))
    kernel.run("session.wait(timeout=10)")
    assert kernel.run("print(calls)") == "[False]\n"
    kernel.run(cell.format(raising=False))
    assert kernel.run("print(calls)") == "[False, True]\n"
    assert "no luck" in kernel.run("print(''.join(line.text for line in session.log()))")


def test_300_files_are_told_in_order_and_once(kernel: AnyKernel, files: FileServer) -> None:
    urls = [files.add(f"both-{n}.bin", content(10, n)) for n in range(300)]
    kernel.run(
        "@session.on_finish\n"
        "def finished(task, path): calls.append(task.task_identifier)\n"
        f"tasks = session.download_all({urls!r}, to=folder); session.wait(timeout=10)"
    )
    assert kernel.run("print(sorted(calls) == list(range(1, 301)))") == "True\n"


def test_an_invalidated_session_says_so_once(kernel: AnyKernel, files: FileServer) -> None:
    url = files.add("both-end.bin", content(1000))
    kernel.run(DELEGATE)
    kernel.run(f"session.download({url!r}, to=folder); session.finish_tasks_and_invalidate()")
    eventually(kernel, "('invalid', None, None) in calls")
    assert kernel.run("print([call[0] for call in calls])") == (
        "['finish', 'complete', 'all', 'invalid']\n"
    )


def script(code: str, folder: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """What a script without any server printed: out, errors. It has to end well."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "BGDL"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_the_fallback_runs_the_same_notebook_and_says_once_what_is_lost(
    tmp_path: Path, files: FileServer
) -> None:
    url = files.add("fallback.bin", content(1000))
    code = (
        "import sys, jupyter_bgdl as bgdl\n"
        "for name in ('a', 'b'):\n"
        "    session = bgdl.background_session(name)\n"
        "    print(session.download(sys.argv[1], to=name + '/').result(timeout=20).name)\n"
    )
    out, errors = script(code, tmp_path, url, JUPYTER_BGDL_FALLBACK="in-process")
    assert out == "fallback.bin\nfallback.bin\n"
    assert errors.count("end with it") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]  # no ledger is left


def test_without_the_fallback_a_missing_server_is_an_error(tmp_path: Path) -> None:
    code = (
        "import jupyter_bgdl as bgdl\n"
        "try: bgdl.background_session('a')\n"
        "except bgdl.ServerNotFound as error: print('not found')\n"
    )
    assert script(code, tmp_path) == ("not found\n", "")


def test_a_session_in_the_process_loads_nothing_of_jupyter_and_shows_no_live_view(
    tmp_path: Path,
) -> None:
    code = (
        "import json, sys, jupyter_bgdl as bgdl\n"
        "session = bgdl.Session(bgdl.SessionConfiguration.default())\n"
        "shown = sorted(session._repr_mimebundle_())\n"
        "print(json.dumps([shown, session.is_owner, list(sys.modules)]))"
    )
    shown, is_owner, modules = json.loads(script(code, tmp_path)[0])
    assert shown == ["text/html", "text/plain"]
    assert is_owner
    jupyter: Any = ("jupyter_server", "jupyter_client", "jupyterlab", "IPython", "zmq")
    assert [name for name in modules if name.split(".")[0] in jupyter] == []
    assert "jupyter_bgdl.service.service" in modules


def test_properties_resume_data_and_the_end(kernel: AnyKernel, files: FileServer) -> None:
    url = files.add("both-resumed.bin", content(3_000_000), hold_at=2_000_000)
    kernel.run(DELEGATE)
    kernel.run(
        f"task = session.download_task({url!r}); task.priority = 0.9; task.resume()\n"
        "task.task_description = 'mine'"
    )
    eventually(kernel, "session.before_waiting() or task.view.received >= 1_000_000")
    assert kernel.run("print(task.view.priority, task.view.description)") == "0.9 mine\n"
    kernel.run("data = task.cancel_by_producing_resume_data(); session.wait(timeout=10)")
    files.hold("both-resumed.bin", None)
    sent = files["both-resumed.bin"].sent
    kernel.run("again = session.download_task(resume_data=data, to=folder); again.resume()")
    kernel.run("session.finish_tasks_and_invalidate(); session.wait(timeout=20)")
    assert kernel.run("print(calls[-1], again.path.stat().st_size, session.is_invalid)") == (
        "('invalid', None, None) 3000000 True\n"
    )
    assert files["both-resumed.bin"].sent - sent < 3_000_000


WAITS = {
    "task": "task.result()",
    "await": "await task",
    "session": "print(session.wait())",
}


LATE = """
import asyncio, threading
from jupyter_bgdl.kernel.connection import Connection
gate, connect = threading.Event(), Connection.open_channel
async def late(connection):
    await asyncio.to_thread(gate.wait)
    return await connect(connection)
Connection.open_channel = late
"""


@pytest.mark.parametrize("last_view", ["told", "lost", "late"])
@pytest.mark.parametrize("wait", WAITS)
def test_who_waits_while_the_session_is_purged_is_told(
    notebooks: Any, files: FileServer, wait: str, last_view: str
) -> None:
    session = f"purged-{wait}-{last_view}"
    url = files.add(f"{session}.bin", content(300_000), hold_at=1000)
    kernel: AnyKernel = notebooks.open()
    if last_view == "late":
        kernel.run(LATE)
    kernel.run(
        f"import jupyter_bgdl as bgdl; session = bgdl.background_session({session!r})\n"
        f"task = session.download({url!r}, to='purged/')\n"
        "def purge(): session._connection.call('DELETE', session._path)"
    )
    if last_view == "lost":
        kernel.run("task.update = lambda view: False")
    # What is posted is run as soon as the cell waits.
    code = (
        "session.pump.post(purge)\n"
        f"{'session.pump.post(gate.set)' if last_view == 'late' else ''}\n"
        f"try: {WAITS[wait]}\n"
        "except bgdl.BackgroundTransferError as error: print(type(error).__name__)"
    )
    told = "1 cancelled\n" if wait == "session" else "Cancelled\n"
    assert kernel.run(code) == told


def test_a_session_that_was_purged_says_so_and_can_be_made_again(
    notebooks: Any, jupyter: Any, files: FileServer
) -> None:
    url = files.add("both-purged.bin", content(1000))
    kernel: AnyKernel = notebooks.open()
    attach = "session = bgdl.background_session('purged')\n"
    kernel.run("import jupyter_bgdl as bgdl; calls = []; folder = 'purged/'\n" + attach + DELEGATE)
    spec = {"request": {"url": url}, "destination": "/nowhere/", "resume": False}
    jupyter.post("bgdl/sessions/purged/tasks", {"tasks": [spec | {"unattended": True}]})
    eventually(kernel, "session.known_tasks()")  # so it watches
    jupyter.request("DELETE", "bgdl/sessions/purged")
    eventually(kernel, "('invalid', None, None) in calls")
    kernel.run(attach + f"task = session.download({url!r}, to=folder); print(task.result(10))")
