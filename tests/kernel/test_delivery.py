"""Events reach their handlers: in order, once, and not before somebody is there to take them."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.fileserver import FileServer, content
from support.jupyter import CellError, JupyterServer
from support.jupyter import Kernel as ServedKernel

Notebooks = Any

ATTACH = """
import jupyter_bgdl as bgdl
session = bgdl.background_session({session!r})
calls = []
"""

DELEGATE = """
class Delegate(bgdl.SessionDelegate):
    def download_task_did_finish_downloading(self, session, task, location):
        calls.append(("finish", task.task_identifier))
    def task_did_complete(self, session, task, error):
        calls.append(("complete", task.task_identifier))
    def session_did_finish_events(self, session):
        calls.append(("all", None))
    def session_did_become_invalid(self, session):
        calls.append(("invalid", None))
delegate = Delegate()
session = bgdl.Session(session.configuration, delegate)
"""


@pytest.fixture
def session(request: pytest.FixtureRequest) -> str:
    """A session's identifier that no other test uses."""
    return str(request.node.name)


def eventually(kernel: ServedKernel, expression: str, limit: float = 20.0) -> None:
    """Until ``expression`` is true in the kernel. Each look is a cell, so jobs run in between."""
    deadline = time.monotonic() + limit
    while kernel.run(f"print(bool({expression}))") != "True\n":
        assert time.monotonic() < deadline, f"never: {expression}"
        time.sleep(0.05)


def test_E3_a_raising_handler_is_shown_parked_and_called_again_when_registered_again(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("e3.bin", content(1000))
    kernel = notebooks.open()
    cell = (
        "@session.on_finish\n"
        "def finished(task, path):\n"
        "    calls.append((task.task_identifier, path.name, task.redelivered))\n"
        "    if raising: raise ValueError('no luck')\n"
    )
    shown = kernel.run(
        ATTACH.format(session=session) + "raising = True\n" + cell
        + f"session.download({url!r}, to='e3/'); session.wait(timeout=30)"
    )  # fmt: skip
    assert "Traceback" in shown
    assert "ValueError: no luck" in shown
    logged = kernel.run("print(''.join(line.text for line in session.log()))")
    assert "ValueError: no luck" in logged

    # No silent retries: attaching again and waiting again deliver nothing.
    kernel.run(f"session = bgdl.background_session({session!r}); session.wait(timeout=30)")
    assert kernel.run("print(calls)") == "[(1, 'e3.bin', False)]\n"

    kernel.run("raising = False\n" + cell)
    eventually(kernel, "len(calls) > 1")
    kernel.run("session.wait(timeout=30)")
    assert kernel.run("print(calls)") == "[(1, 'e3.bin', False), (1, 'e3.bin', True)]\n"

    # It was acknowledged this time: registering once more brings nothing.
    other = files.add("e3-other.bin", content(1000))
    kernel.run(cell + f"session.download({other!r}, to='e3/'); session.wait(timeout=30)")
    assert kernel.run("print(calls[2:])") == "[(2, 'e3-other.bin', False)]\n"


def test_E3_a_person_has_what_was_parked_delivered_again(
    notebooks: Notebooks, jupyter: JupyterServer, files: FileServer
) -> None:
    url = files.add("e3-again.bin", content(1000))
    kernel = notebooks.open()
    kernel.run(
        ATTACH.format(session="e3-again") + "raising = True\n"
        "@session.on_finish\n"
        "def finished(task, path):\n"
        "    calls.append(task.redelivered)\n"
        "    if raising: raise ValueError('no luck')\n"
        f"session.download({url!r}, to='e3-again/'); session.wait(timeout=30); raising = False"
    )
    view = jupyter.post("bgdl/sessions/e3-again/redeliver", {})
    assert (view["parked"], view["undelivered"]) == (0, 1)
    eventually(kernel, "len(calls) > 1")
    assert kernel.run("session.wait(timeout=30); print(calls)") == "[False, True]\n"
    assert jupyter.post("bgdl/sessions/e3-again/redeliver", {})["undelivered"] == 0


@pytest.mark.parametrize(
    "wait", ["session.wait(timeout=30)", "task.result(timeout=30)", "await task"]
)
def test_E3_what_waits_in_the_cell_that_registers_again_sees_the_parked_event_handled(
    notebooks: Notebooks, files: FileServer, wait: str
) -> None:
    session = "e3 " + wait.split("(")[0]
    url = files.add("e3-wait.bin", content(1000))
    kernel = notebooks.open()
    cell = ATTACH.format(session=session) + (
        "@session.on_finish\n"
        "def finished(task, path):\n"
        "    calls.append(task.redelivered)\n"
        "    if {raising}: raise ValueError('no luck')\n"
        f"task = session.download({url!r}, to='e3-wait/' + session.identifier)\n"
        f"{wait}; print(calls)"
    )
    assert "[False]" in kernel.run(cell.format(raising=True))
    assert "[True]" in kernel.run(cell.format(raising=False))


def test_E3_a_new_kernel_that_waits_sees_the_parked_event_handled(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("e3-new.bin", content(1000))
    cell = ATTACH.format(session=session) + (
        "@session.on_finish\n"
        "def finished(task, path):\n"
        "    calls.append(task.redelivered)\n"
        "    if {raising}: raise ValueError('no luck')\n"
        f"task = session.download({url!r}, to='e3-new/')\n"
        "{wait}; print(calls)"
    )
    kernel = notebooks.open()
    kernel.run(cell.format(raising=True, wait="session.wait(timeout=30)"))
    for wait in ("await task", "task.result(timeout=30)", "session.wait(timeout=30)"):
        notebooks.shut_down(kernel)
        kernel = notebooks.open()
        assert "[True]" in kernel.run(cell.format(raising=True, wait=wait))


def test_E10_handlers_in_a_later_cell_hear_everything_and_nothing_comes_before_them(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("e10.bin", content(1000))
    kernel = notebooks.open()
    kernel.run(ATTACH.format(session=session))
    kernel.run(f"task = session.download({url!r}, to='e10/'); print(task.result(timeout=30))")
    kernel.run(DELEGATE)
    eventually(kernel, "('all', None) in calls")
    assert kernel.run("print(calls)") == "[('finish', 1), ('complete', 1), ('all', None)]\n"


def test_E2_killed_inside_a_callback_the_staged_file_is_there_again(
    notebooks: Notebooks, jupyter: JupyterServer, files: FileServer, session: str
) -> None:
    url = files.add("e2.bin", content(300_000))
    record = jupyter.root / "e2.txt"
    cell = ATTACH.format(session=session) + (
        "import os, signal\n"
        "@session.on_finish\n"
        "def finished(task, location):\n"
        "    there = location.exists()\n"
        "    path = task.move_to('e2/')\n"
        "    again = task.move_to('e2/') == path\n"
        "    with open('e2.txt', 'a') as f:\n"
        "        print(there, task.redelivered, path, again, location, file=f)\n"
        "    if not task.redelivered: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    kernel = notebooks.open()
    pid = kernel.pid
    kernel.client.execute(cell + f"session.download_task({url!r}).resume()\nsession.wait()")
    deadline = time.monotonic() + 30
    while not (record.exists() and not _is_alive(pid)):
        assert time.monotonic() < deadline, "the callback did not kill its kernel"
        time.sleep(0.05)
    notebooks.shut_down(kernel)

    fresh = notebooks.open()
    fresh.run(cell + "print(session.wait(timeout=30))")
    first, second = record.read_text().splitlines()
    moved = jupyter.root / "e2" / "e2.bin"
    assert first.startswith(f"True False {moved} True ")
    assert second.startswith(f"True True {moved} True ")
    assert moved.read_bytes() == files["e2.bin"].body
    location = Path(second.rsplit(" ", 1)[1])
    assert not location.exists(), "the staged file is gone once it was acknowledged"
    deadline = time.monotonic() + 10
    while left := [p for p in location.parent.parent.rglob("*") if p.is_file()]:
        assert time.monotonic() < deadline, f"staging still holds {left}"
        time.sleep(0.05)


def test_E4_two_kernels_one_owner_and_taking_over(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("e4.bin", content(1000))
    first, second = notebooks.open("first"), notebooks.open("second")
    first.run(ATTACH.format(session=session) + DELEGATE)
    assert second.run(ATTACH.format(session=session) + "print(session.is_owner)") == "False\n"
    register = "@session.on_finish\ndef finished(task, path): calls.append(path.name)\n"
    with pytest.raises(CellError, match=r"-first\.ipynb.*take_over=True") as refused:
        second.run(register)
    assert refused.value.name == "SessionOwnedElsewhere"

    second.run(f"session = bgdl.background_session({session!r}, take_over=True)\n" + register)
    eventually(first, "calls")
    second.run(f"session.download({url!r}, to='e4/'); session.wait(timeout=30)")
    assert second.run("print(session.is_owner, calls)") == "True ['e4.bin']\n"
    assert first.run("print(session.is_owner, calls)") == "False [('invalid', None)]\n"

    # The object that was invalidated stays so; attaching again only watches.
    with pytest.raises(CellError, match="Make it again") as refused:
        first.run("session.on_finish(print)")
    assert refused.value.name == "SessionInvalidated"
    assert first.run(
        f"again = bgdl.background_session({session!r}); print(again.is_owner, again is session)"
    ) == "False False\n"  # fmt: skip


def test_a_detached_session_says_so_and_its_events_wait_for_the_next_object(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("detached.bin", content(1000))
    kernel = notebooks.open()
    register = "@session.on_finish\ndef finished(task, path): calls.append(path.name)\n"
    kernel.run(ATTACH.format(session=session))
    kernel.run(f"old = session; session.download({url!r}, to='detached/').result(timeout=30)")
    kernel.run("session.detach()")
    with pytest.raises(CellError, match="was detached") as refused:
        kernel.run(register)
    assert refused.value.name == "SessionInvalidated"
    kernel.run(ATTACH.format(session=session) + register + "session.wait(timeout=30)")
    assert kernel.run("print(session is old, calls)") == "False ['detached.bin']\n"


@pytest.mark.slow
def test_500_tasks_that_finished_while_no_kernel_lived(
    notebooks: Notebooks, jupyter: JupyterServer, files: FileServer, session: str
) -> None:
    gate = threading.Event()
    urls = [files.add(f"many/{n:03}.bin", b"%d" % n, before_headers=gate) for n in range(500)]
    kernel = notebooks.open()
    kernel.run(ATTACH.format(session=session))
    kernel.run(f"print(len(session.download_all({urls!r}, to='many/')))")
    notebooks.shut_down(kernel)
    gate.set()
    deadline = time.monotonic() + 60
    while jupyter.get(f"bgdl/sessions/{session}")["counts"]["done"] < 500:
        assert time.monotonic() < deadline, "the downloads did not finish without a kernel"
        time.sleep(0.1)

    fresh = notebooks.open()
    fresh.run(ATTACH.format(session=session))
    assert fresh.run("print(calls, session.is_owner)") == "[] True\n"
    fresh.run(DELEGATE)
    fresh.run("session.wait(timeout=60)")
    fresh.run(
        "numbers = [n for what, n in calls if what == 'finish']\n"
        "expected = [(w, n) for n in numbers for w in ('finish', 'complete')] + [('all', None)]\n"
        "assert calls == expected, calls\n"
        "assert sorted(numbers) == list(range(1, 501)), numbers"
    )
    notebooks.shut_down(fresh)

    # A new event bounds how long nothing has to happen: it comes, and it comes alone.
    third = notebooks.open()
    third.run(ATTACH.format(session=session) + DELEGATE)
    url = files.add("one-more.bin", content(100))
    third.run(f"session.download({url!r}, to='many/'); session.wait(timeout=30)")
    assert third.run("print(calls)") == "[('finish', 501), ('complete', 501), ('all', None)]\n"


def test_a_delegate_hears_finish_complete_all(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    good, bad = files.add("d.bin", content(1000)), files.add("d404.bin", b"no", status=404)
    kernel = notebooks.open()
    kernel.run(ATTACH.format(session=session) + DELEGATE)
    kernel.run(f"session.download({good!r}, to='d/'); session.wait(timeout=30)")
    kernel.run(f"session.download({bad!r}, to='d/'); session.wait(timeout=30)")
    assert kernel.run("print(calls)") == (
        "[('finish', 1), ('complete', 1), ('all', None), ('complete', 2), ('all', None)]\n"
    )


def test_async_handlers_are_awaited_one_after_the_other(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    urls = [files.add(f"async/{n}.bin", content(1000, n)) for n in range(3)]
    kernel = notebooks.open()
    kernel.run(
        ATTACH.format(session=session) + "import asyncio\n"
        "@session.on_finish\n"
        "async def finished(task, path):\n"
        "    calls.append(('begin', task.task_identifier))\n"
        "    await asyncio.sleep(0.1)\n"
        "    calls.append(('end', task.task_identifier))\n"
        "@session.on_all_finished\n"
        "async def all_finished(session):\n"
        "    calls.append(('all', session.identifier))\n"
    )
    for wait in ("await session.finished()", "session.wait(timeout=30)"):
        kernel.run(f"calls.clear(); session.download_all({urls!r}, to={wait[:5]!r}); {wait}")
        kernel.run(
            "numbers = [n for what, n in calls if what == 'begin']\n"
            "assert len(numbers) == 3\n"
            "assert calls == [(w, n) for n in numbers for w in ('begin', 'end')]"
            " + [('all', session.identifier)], calls"
        )


def test_await_returns_after_the_handler(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    kernel = notebooks.open()
    kernel.run(
        ATTACH.format(session=session) + "import time\n"
        "@session.on_finish\n"
        "def finished(task, path):\n"
        "    time.sleep(0.3)\n"
        "    calls.append(path.name)\n"
    )
    for name, wait in (("w1.bin", "await task"), ("w2.bin", "task.result(timeout=30)")):
        url = files.add(name, content(1000))
        out = kernel.run(f"task = session.download({url!r}, to='w/'); path = {wait}; print(calls)")
        assert repr(name) in out


def test_done_callbacks_run_in_every_kernel_and_at_once_when_it_is_done(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("cb.bin", content(1000), hold_at=0)
    cell = ATTACH.format(session=session) + (
        f"task = session.download({url!r}, to='cb/')\n"
        "task.add_done_callback(lambda task: calls.append(task.path.name))\n"
    )
    kernel = notebooks.open()
    assert kernel.run(cell + "print(calls)") == "[]\n"
    files.hold("cb.bin", None)
    eventually(kernel, "calls == ['cb.bin']")
    kernel.run("task.add_done_callback(lambda task: calls.append('again'))")
    eventually(kernel, "calls == ['cb.bin', 'again']")
    notebooks.shut_down(kernel)
    fresh = notebooks.open()
    fresh.run(cell)
    eventually(fresh, "calls == ['cb.bin']")
    assert len(files["cb.bin"].requests) == 1


def test_what_a_callback_prints_is_in_the_log_and_under_the_cell_that_registered_it(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("print.bin", content(1000), hold_at=0)
    kernel = notebooks.open()
    registering = kernel.client.execute(
        ATTACH.format(session=session) + "@session.on_finish\n"
        "def finished(task, path): print('hello from', path.name)\n"
    )
    submitting = kernel.client.execute(f"task = session.download({url!r}, to='p/')")
    _published(kernel, lambda m: _ended(m, submitting))
    files.hold("print.bin", None)
    message = _published(
        kernel, lambda m: m["msg_type"] == "stream" and "hello from print.bin" in _text(m)
    )
    assert message["parent_header"]["msg_id"] == registering
    eventually(kernel, "'hello from print.bin' in ''.join(l.text for l in session.log())")


def test_a_failure_that_nobody_handles_is_shown(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    url = files.add("missing.bin", b"gone", status=404)
    kernel = notebooks.open()
    shown = kernel.run(
        ATTACH.format(session=session) + "@session.on_finish\n"
        "def finished(task, path): calls.append(path)\n"
        f"session.download({url!r}, to='f/'); session.wait(timeout=30)"
    )
    assert re.search(r"missing\.bin failed: .*404", shown)
    eventually(kernel, "'missing.bin failed' in ''.join(l.text for l in session.log())")
    assert kernel.run("print(calls)") == "[]\n"


def test_on_error_hears_of_failures_and_cancellations(
    notebooks: Notebooks, files: FileServer, session: str
) -> None:
    missing = files.add("err404.bin", b"gone", status=404)
    held = files.add("held.bin", content(1000), hold_at=0)
    kernel = notebooks.open()
    shown = kernel.run(
        ATTACH.format(session=session) + "@session.on_error\n"
        "def failed(task, error): calls.append((task.name, type(error).__name__))\n"
        f"session.download({missing!r}, to='e/'); t = session.download({held!r}, to='e/')\n"
        "t.cancel(); summary = session.wait(timeout=30)"
    )
    assert shown == "", "on_error is there to show it"
    assert kernel.run("print(sorted(calls))") == (
        "[('err404.bin', 'HTTPStatusError'), ('held.bin', 'Cancelled')]\n"
    )


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _published(kernel: ServedKernel, wanted: Any, limit: float = 30.0) -> dict[str, Any]:
    deadline = time.monotonic() + limit
    while True:
        left = max(0.0, deadline - time.monotonic())
        message: dict[str, Any] = kernel.client.get_iopub_msg(timeout=left)
        if wanted(message):
            return message


def _ended(message: dict[str, Any], cell: str) -> bool:
    return (
        message["parent_header"].get("msg_id") == cell
        and message["content"].get("execution_state") == "idle"
    )


def _text(message: dict[str, Any]) -> str:
    return str(message["content"]["text"])
