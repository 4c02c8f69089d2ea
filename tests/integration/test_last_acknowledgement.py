"""The last acknowledgement of a session is lost with the server: its end is told once anyway."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.jupyter import TOKEN, JupyterServer

SCRIPT = """
import os, sys
import jupyter_bgdl as bgdl
from jupyter_bgdl.kernel import known_sessions
known_sessions._FREE = 3600  # The server has to say that the name is free.
url, token, server = sys.argv[1:]

class Delegate(bgdl.SessionDelegate):
    def session_did_become_invalid(self, session):
        os.kill(int(server), 9)
        print("invalid", flush=True)

where = {"server_url": url, "token": token}
session = bgdl.background_session("last words", delegate=Delegate(), **where)
session.finish_tasks_and_invalidate()
print(session.wait(60), flush=True)
again = bgdl.background_session("last words", **where)
print(again is session, again.is_owner, len(again.log()))
"""


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[JupyterServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with JupyterServer(tmp_path / "jupyter", port=port) as server:
        yield server


def test_E1_the_end_is_told_once_and_the_name_is_free(jupyter: JupyterServer) -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, jupyter.url, TOKEN, str(jupyter.pid)],
        cwd=jupyter.root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "invalid\n"
        assert jupyter.process is not None
        jupyter.process.wait(20)
        jupyter.start()
        rest = process.stdout.read()
    assert rest.splitlines() == ["nothing to do", "False True 1"]
    assert process.returncode == 0
