"""A delegate is asked for credentials and about delayed requests, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest
from support.fileserver import FileServer, content

Notebooks = Any

DELEGATE = """
import jupyter_bgdl as bgdl
calls = []
class Delegate(bgdl.SessionDelegate):
    {define} task_did_receive_challenge(self, session, task, challenge):
        calls.append(("asked", challenge.status_code, challenge.received, task.redelivered))
        return {answer}
    def task_did_complete(self, session, task, error):
        calls.append(("complete", str(error)))
session = bgdl.Session(bgdl.SessionConfiguration.background({name!r}), delegate=Delegate())
"""
LOG = "\nprint(''.join(line.text for line in session.log()))"
HALF, SIZE = 500_000, 1_000_000


def rotate(files: FileServer, name: str) -> str:
    """A file of which half is fetched; then its server wants another login."""
    return files.add(name, content(SIZE), hold_at=HALF)


def half_way(url: str, to: str) -> str:
    """A cell that pauses the download in its middle, so that the rest is asked for anew."""
    return f"""
import time
task = session.download({url!r}, to={to!r}, headers={{"Authorization": "old"}})
while task.progress.received < {HALF}:
    time.sleep(0.02)
task.suspend()
while task.state != "suspended" or task.progress.rate:
    time.sleep(0.02)
"""


WAITS = """
import time
while task.waiting_for != "credentials":
    time.sleep(0.02)
"""


@pytest.mark.parametrize("define", ["def", "async def"])
def test_R6_a_delegate_is_asked_and_the_next_kernel_again(
    notebooks: Notebooks, files: FileServer, define: str
) -> None:
    name = f"R6{define[0]}.bin"
    url, kernel = rotate(files, name), notebooks.open()
    cell = {"name": name, "define": define}
    kernel.run(DELEGATE.format(answer="None", **cell) + half_way(url, "r6/"))
    resource = files[name]
    resource.status = 401
    kernel.run("task.resume()" + WAITS)
    files.hold(name, None)  # Not before: what is paused may still be on its way.
    shown = kernel.run("session.pump.wait(lambda: calls, 30); print(calls, task.waiting_for)")
    assert shown == f"[('asked', 401, {HALF}, False)] credentials\n"
    kernel.restart()
    resource.status = 200
    answer = '{"Authorization": "new"}'
    shown = kernel.run(DELEGATE.format(answer=answer, **cell) + "print(session.wait(30), calls)")
    assert shown == f"1 done [('asked', 401, {HALF}, False), ('complete', 'None')]\n"
    last = resource.requests[-1]
    assert last["authorization"] == "new"
    assert last["range"] == f"bytes={HALF}-"
    path = kernel.run("print(session.all_tasks(completed=True)[0].path)").strip()
    with open(path, "rb") as file:
        assert file.read() == resource.body


def test_R6_without_a_delegate_it_says_so_and_the_cell_run_again_takes_it_up(
    notebooks: Notebooks, files: FileServer
) -> None:
    url, kernel = rotate(files, "again.bin"), notebooks.open()
    attach = """
import jupyter_bgdl as bgdl
session = bgdl.background_session("again")
@session.on_finish
def finished(task, path): pass
"""
    kernel.run(attach + half_way(url, "again/"))
    files["again.bin"].status = 401
    kernel.run("task.resume()" + WAITS)
    files.hold("again.bin", None)
    said = "again.bin waits for credentials: the server answered 401 Unauthorized"
    kernel.run("session.pump.wait(lambda: session.view.undelivered == 0, 30)")
    assert said in kernel.run(LOG)
    files["again.bin"].status = 200
    shown = kernel.run(
        f"again = session.download({url!r}, to='again/', headers={{'Authorization': 'new'}})\n"
        "print(again is task, session.wait(30))"
    )
    assert shown == "True 1 done\n"
    assert files["again.bin"].requests[-1]["authorization"] == "new"
    assert files["again.bin"].requests[-1]["range"] == f"bytes={HALF}-"


def test_R6_what_a_delegate_may_not_answer_is_shown_and_asked_again(
    notebooks: Notebooks, files: FileServer
) -> None:
    url, kernel = files.add("odd.bin", content(1000), status=401), notebooks.open()
    cell = {"name": "odd", "define": "def"}
    shown = kernel.run(
        DELEGATE.format(answer="42", **cell)
        + f"task = session.download({url!r}, to='odd/')"
        + WAITS
        + "session.pump.wait(lambda: session.view.parked, 30)"
        + LOG
    )
    assert "task_did_receive_challenge returns a URL, a dict of headers" in shown
    files["odd.bin"].status = 200
    other = files.add("other.bin", content(1000))
    shown = kernel.run(
        DELEGATE.format(answer=repr(other), **cell) + "print(session.wait(30), calls)"
    )
    assert shown == "1 done [('asked', 401, 0, True), ('complete', 'None')]\n"


def test_R6_a_staged_download_asks_too_and_a_delegate_may_cancel(
    notebooks: Notebooks, files: FileServer
) -> None:
    url, kernel = files.add("cancel.bin", content(1000), status=401), notebooks.open()
    shown = kernel.run(
        DELEGATE.format(answer="task.cancel()", name="cancels", define="def")
        + f"session.download_task({url!r}).resume()\nprint(session.wait(30), calls)"
    )
    assert shown == "1 cancelled [('asked', 401, 0, False), ('complete', 'Cancelled.')]\n"


def test_env_headers_are_read_in_the_kernel(notebooks: Notebooks, files: FileServer) -> None:
    url, kernel = files.add("env.bin", content(1000)), notebooks.open()
    shown = kernel.run(f"""
import os, jupyter_bgdl as bgdl
session = bgdl.background_session("env")
headers = {{"Authorization": "Bearer env:SOME_TOKEN"}}
try:
    session.download({url!r}, to="env/", headers=headers)
except bgdl.InvalidRequest as error:
    print(error)
os.environ["SOME_TOKEN"] = "its-value"
print(session.download({url!r}, to="env/", headers=headers).result(30).name)
""")
    assert "SOME_TOKEN by env:NAME" in shown
    assert shown.endswith("env.bin\n")
    assert files["env.bin"].requests[-1]["authorization"] == "Bearer its-value"


def test_a_delayed_request_gets_a_fresh_address(notebooks: Notebooks, files: FileServer) -> None:
    stale, kernel = files.add("stale.bin", content(1000), status=403), notebooks.open()
    fresh = files.add("fresh.bin", content(1000))
    shown = kernel.run(f"""
import jupyter_bgdl as bgdl
from datetime import timedelta
calls = []
class Delegate(bgdl.SessionDelegate):
    def task_will_begin_delayed_request(self, session, task, request):
        calls.append(request.url == {stale!r})
        return {fresh!r}
session = bgdl.Session(bgdl.SessionConfiguration.background("late"), delegate=Delegate())
task = session.download({stale!r}, to="late/", earliest_begin_date=timedelta(seconds=0.5))
print(session.wait(30), task.path.name, calls)
""")
    assert shown == "1 done fresh.bin [True]\n"
    assert files["stale.bin"].requests == []


def test_a_task_explains_itself(notebooks: Notebooks, files: FileServer) -> None:
    kernel = notebooks.open()
    shown = kernel.run(f"""
import jupyter_bgdl as bgdl
session = bgdl.background_session("explains")
told = session.download_task({files.url("x")!r}, to="x/").explain()
print(told)
print("<table>" in told._repr_html_(), told.help)
told
""")
    assert "x: suspended" in shown
    assert "what helps: task.resume()" in shown
    assert "True ['task.resume()']" in shown
