"""A kernel is started to be asked for credentials, when nobody else is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fileserver import FileServer, content
from support.jupyter import JupyterServer

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

CELL = """%%background_session asked
import jupyter_bgdl as bgdl, os, pathlib

class Delegate(bgdl.SessionDelegate):
    def task_did_receive_challenge(self, session, task, challenge):
        pathlib.Path("asked.txt").write_text(f"{{os.getpid()}} {{challenge.status_code}}")
        return {{"Authorization": "fresh"}}

session = bgdl.background_session("asked", delegate=Delegate())
session.download("{url}", to="asked/", headers={{"Authorization": "stale"}})
"""


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[JupyterServer]:
    with JupyterServer(tmp_path, arguments=("--BackgroundTransfers.launch_grace=0.2",)) as server:
        yield server


def test_R6_a_kernel_is_launched_to_be_asked(jupyter: JupyterServer, files: FileServer) -> None:
    body, gate = content(100_000), threading.Event()
    url = files.add("locked.bin", body, before_headers=gate)
    (jupyter.root / "asked.ipynb").write_text(NOTEBOOK)
    kernel = jupyter.start_kernel("asked.ipynb")
    kernel.run("%load_ext jupyter_bgdl")
    kernel.run(CELL.format(url=url))
    first = kernel.pid
    kernel.shutdown()
    files["locked.bin"].status = 401
    gate.set()
    jupyter._until(
        lambda: jupyter.task("asked")["waiting_for"] == "credentials", "it was not refused"
    )
    files["locked.bin"].status = 200
    jupyter._until(lambda: jupyter.task("asked")["phase"] == "completed", "nobody was asked")
    pid, status = (jupyter.root / "asked.txt").read_text().split()
    assert int(pid) != first
    assert status == "401"
    assert (jupyter.root / "asked" / "locked.bin").read_bytes() == body
    assert files["locked.bin"].requests[-1]["authorization"] == "fresh"
