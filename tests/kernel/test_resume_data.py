"""Resume data and the methods of a delegate that the state brings, in a notebook."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from support.fileserver import FileServer, content

import jupyter_bgdl as bgdl

Notebooks = Any
SESSION = """
import jupyter_bgdl as bgdl, threading
class Delegate(bgdl.SessionDelegate):
    waits = 0
    def download_task_did_resume(self, session, task, file_offset, expected_total_bytes):
        print("resumed", 0 < file_offset < expected_total_bytes, expected_total_bytes)
    def download_task_did_finish_downloading(self, session, task, location):
        print("file", location.name, location.stat().st_size)
    def task_did_complete(self, session, task, error):
        print("complete", type(error).__name__)
    def task_is_waiting_for_connectivity(self, session, task):
        type(self).waits += 1
        print("waits", task.waiting_for.value)
session = bgdl.Session(bgdl.SessionConfiguration.background({name!r}), delegate=Delegate())
"""
SIZE = 6_000_000


def test_a_cancelled_download_goes_on_in_another_session(
    notebooks: Notebooks, files: FileServer
) -> None:
    kernel = notebooks.open()
    url = files.add("long.bin", content(SIZE), hold_at=4_000_000)
    shown = kernel.run(
        SESSION.format(name="cancels")
        + f"""
import time
task = session.download({url!r}, to="long/")
while task.view.received < 3_000_000:
    session.before_waiting(); time.sleep(0.05)
data = task.cancel_by_producing_resume_data()
print(type(data).__name__, len(data) < 64, session.wait(20))
for wrong in (data[1:], data + b"x", b"", b"\\xff", "text"):
    try:
        session.download_task(resume_data=wrong)
    except bgdl.InvalidResumeData as error:
        assert "anew" in str(error) or "esume data" in str(error), error
    else:
        print("not refused", wrong)
"""
    )
    assert shown.splitlines() == ["complete Cancelled", "bytes True 1 cancelled"]
    files.hold("long.bin", None)
    before = files["long.bin"].sent
    shown = kernel.run(
        SESSION.format(name="goes on")
        + """
again = session.download_task(resume_data=data, task_description="second half")
print(again.state.value, again.progress.received > 0, again.task_description)
again.resume()
print(again.result(30).name, session.wait(20))
try:
    session.download_task(resume_data=data, to="third/")
except bgdl.InvalidResumeData as error:
    print(error)
"""
    )
    assert shown.splitlines() == [
        "suspended True second half",
        f"resumed True {SIZE}",
        f"file long.bin {SIZE}",
        "complete NoneType",
        "long.bin 1 done",
        "This resume data was used already; each can be used once. Download the file anew.",
    ]
    assert files["long.bin"].sent - before < SIZE


def test_the_network_being_away_is_told(notebooks: Notebooks) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x.bin"
        kernel = notebooks.open()
        shown = kernel.run(
            SESSION.format(name="away")
            + f"""
task = session.download({url!r}, to="away/")
print(session.pump.wait(lambda: Delegate.waits > 0, 20))
task.cancel()
print(session.wait(20))
"""
        )
    assert shown.splitlines() == ["waits network", "True", "complete Cancelled", "1 cancelled"]


def test_a_method_that_no_delegate_has_is_refused_and_the_redirect_one_is_known() -> None:
    class Delegate(bgdl.SessionDelegate):
        def task_will_perform_http_redirection(self, *arguments: Any) -> None:
            raise AssertionError("never called")

    with pytest.raises(TypeError, match="task_will_perform_http_redirection"):
        type("Wrong", (Delegate,), {"task_will_perform_redirection": lambda self: None})
