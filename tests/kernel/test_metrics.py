"""What a task's requests took reaches the notebook, before the task completes."""

from __future__ import annotations

from typing import Any

import pytest
from support.fileserver import FileServer, content

Notebooks = Any

CELL = """
import jupyter_bgdl as bgdl
calls = []

class Delegate(bgdl.SessionDelegate):
    def download_task_did_finish_downloading(self, session, task, location):
        calls.append("finish")
    {kind} task_did_finish_collecting_metrics(self, session, task, metrics):
        [one] = metrics.transactions
        calls.append(one.count_of_response_body_bytes_received)
    def task_did_complete(self, session, task, error):
        calls.append("complete")

session = bgdl.Session(bgdl.SessionConfiguration.background({session!r}), Delegate())
task = session.download({url!r}, to="metrics/")
session.wait(timeout=30)
print(calls)
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_delegate_hears_them_between_finish_and_complete(
    notebooks: Notebooks, files: FileServer, kind: str
) -> None:
    name = kind.split()[0]
    url = files.add(f"{name}.bin", content(1000))
    kernel = notebooks.open()
    shown = kernel.run(CELL.format(kind=kind, session=f"metrics {name}", url=url))
    assert shown.splitlines()[-1] == "['finish', 1000, 'complete']"
    assert kernel.run("print(task.metrics.transactions[0].status_code)") == "200\n"


def test_they_that_raise_are_parked_and_heard_again(
    notebooks: Notebooks, files: FileServer
) -> None:
    url = files.add("parked.bin", content(1000))
    cell = CELL.format(kind="def", session="metrics parked", url=url)
    kernel = notebooks.open()
    shown = kernel.run(cell.replace("[one] = metrics.transactions", "raise ValueError('no luck')"))
    # The traceback is on another stream, and may come after what was printed later.
    assert "ValueError: no luck" in shown
    assert "['finish']" in shown.splitlines()
    assert kernel.run(cell).splitlines()[-1] == "[1000, 'complete']"


def test_a_task_that_asked_for_nothing_has_none(notebooks: Notebooks, files: FileServer) -> None:
    url = files.add("none.bin", content(1000))
    cell = f"""
import jupyter_bgdl as bgdl
session = bgdl.background_session("metrics none")
task = session.download_task({url!r}, to="none/")
print(task.metrics)
"""
    assert notebooks.open().run(cell) == "None\n"
