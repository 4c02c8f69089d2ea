"""A kernel of another virtual environment, with ipykernel 6.29, beside one of ipykernel 7."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import CellError

Notebooks = Any

CELL = """
import os
import jupyter_bgdl as bgdl
session = bgdl.background_session({session!r})
calls = []

@session.on_finish
def finished(task, path):
    calls.append((path.name, task.redelivered))
    print("arrived:", path.name)
"""

VERSION = "import ipykernel; print(ipykernel.version_info[0])"


def test_both_have_their_sessions_in_one_server(
    notebooks: Notebooks, spec_629: str, files: FileServer
) -> None:
    kernels = {"7": notebooks.open("seven"), "6": notebooks.open("six", spec_629)}
    for version, kernel in kernels.items():
        assert kernel.run(VERSION) == f"{version}\n"
        url = files.add(f"both-{version}.bin", content(1000))
        shown = kernel.run(
            CELL.format(session=f"both-{version}")
            + f"path = await session.download({url!r}, to='both/')\n"
        )
        assert shown == f"arrived: both-{version}.bin\n"
        assert kernel.run("print(calls)") == f"[('both-{version}.bin', False)]\n"
        log = "''.join(line.text for line in session.log())"
        _eventually(kernel, f"'arrived: both-{version}.bin' in {log}")


def test_callbacks_run_between_cells_and_print_where_they_were_registered(
    notebooks: Notebooks, spec_629: str, files: FileServer
) -> None:
    url = files.add("between.bin", content(1000), hold_at=0)
    kernel = notebooks.open("six", spec_629)
    registering = kernel.client.execute(CELL.format(session="between"))
    submitting = kernel.client.execute(f"task = session.download({url!r}, to='between/')")
    while (message := kernel.client.get_iopub_msg(timeout=30))["parent_header"].get(
        "msg_id"
    ) != submitting or message["content"].get("execution_state") != "idle":
        pass
    files.hold("between.bin", None)
    while (message := kernel.client.get_iopub_msg(timeout=30))["msg_type"] != "stream":
        pass
    assert message["content"]["text"] == "arrived: between.bin\n"
    assert message["parent_header"]["msg_id"] == registering


@pytest.mark.parametrize("order", [("6", "7"), ("7", "6")], ids="-then-".join)
def test_the_notebook_goes_on_under_the_other_ipykernel(
    notebooks: Notebooks, spec_629: str, files: FileServer, order: tuple[str, str]
) -> None:
    names = {"7": "python3", "6": spec_629}
    session = f"goes-on-{order[0]}"
    url = files.add(f"{session}.bin", content(1000), hold_at=0)
    cell = CELL.format(session=session) + f"task = session.download({url!r}, to='on/')\n"
    kernel = notebooks.open("same", names[order[0]])
    kernel.run(cell)
    os.kill(kernel.pid, signal.SIGKILL)
    notebooks.shut_down(kernel)
    files.hold(f"{session}.bin", None)
    fresh = notebooks.open("same", names[order[1]])
    assert fresh.run(VERSION) == f"{order[1]}\n"
    fresh.run(cell + "session.wait(timeout=30)")
    assert fresh.run("print(calls)") == f"[('{session}.bin', False)]\n"
    assert len(files[f"{session}.bin"].requests) == 1


def test_one_session_in_both_has_one_owner(notebooks: Notebooks, spec_629: str) -> None:
    seven, six = notebooks.open("seven"), notebooks.open("six", spec_629)
    seven.run(CELL.format(session="shared"))
    with pytest.raises(CellError, match=r"belongs to .*seven\.ipynb") as refused:
        six.run(CELL.format(session="shared"))
    assert refused.value.name == "SessionOwnedElsewhere"


def _eventually(kernel: Any, expression: str) -> None:
    deadline = time.monotonic() + 20
    while kernel.run(f"print({expression})") != "True\n":
        assert time.monotonic() < deadline, f"never: {expression}"
        time.sleep(0.05)
