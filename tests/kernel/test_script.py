"""A plain Python script, told where the server is, has all that a notebook has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support.fileserver import FileServer, content
from support.jupyter import TOKEN, JupyterServer

ROOT = Path(__file__).resolve().parents[2]

ATTACH = """
import asyncio, sys
import jupyter_bgdl as bgdl
url, token, session, source = sys.argv[1:]
session = bgdl.background_session(session, server_url=url, token=token)
"""

HANDLER = """
@session.on_finish
def finished(task, path): print("finished", path.name, task.redelivered, flush=True)
"""


def start(
    jupyter: JupyterServer, code: str, session: str, source: str = ""
) -> subprocess.Popen[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "BGDL"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ATTACH + code, jupyter.url, TOKEN, session, source],
        cwd=jupyter.root,
        env={**kept, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(jupyter: JupyterServer, code: str, session: str, source: str = "") -> str:
    """What the script printed; it has to end well."""
    with start(jupyter, code, session, source) as process:
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return out


def owner(jupyter: JupyterServer, session: str) -> Any:
    return jupyter.get(f"bgdl/sessions/{session}")["owner"]


def test_a_script_downloads_and_its_handlers_run_while_it_waits(
    jupyter: JupyterServer, files: FileServer
) -> None:
    source = files.add("script.bin", content(100_000))
    out = run(
        jupyter,
        HANDLER + "task = session.download(source, to='script/')\n"
        "print('before waiting', flush=True); print(session.wait(timeout=30))\n"
        "print(asyncio.run(session.finished())); print(task.result(timeout=30).name)",
        "script",
        source,
    )
    assert out.splitlines() == [
        "before waiting",
        "finished script.bin False",
        *2 * ["1 done"],
        "script.bin",
    ]
    assert (jupyter.root / "script" / "script.bin").read_bytes() == files["script.bin"].body


def test_a_script_can_await_a_task(jupyter: JupyterServer, files: FileServer) -> None:
    source = files.add("awaited.bin", content(1000))
    out = run(
        jupyter,
        HANDLER + "async def main():\n"
        "    path = await session.download(source, to='awaited/')\n"
        "    print('got', path.name)\n"
        "asyncio.run(main())",
        "awaited",
        source,
    )
    assert out == "finished awaited.bin False\ngot awaited.bin\n"


def test_ownership_ends_with_the_process_and_the_next_script_hears_what_it_missed(
    jupyter: JupyterServer, files: FileServer
) -> None:
    source = files.add("lease.bin", content(1000), hold_at=0)
    code = HANDLER + "session.download(source, to='lease/'); print('began', flush=True)\n"
    with start(jupyter, code + "session.wait()", "lease", source) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "began\n"
        assert owner(jupyter, "lease")
        # While it lives, others only watch.
        assert run(jupyter, "print(session.is_owner)", "lease") == "False\n"
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=30)
    deadline = time.monotonic() + 20
    while owner(jupyter, "lease"):
        assert time.monotonic() < deadline, "the lease outlived its process"
        time.sleep(0.1)
    files.hold("lease.bin", None)
    out = run(jupyter, "print(session.is_owner)\n" + HANDLER + "session.wait(timeout=30)", "lease")
    assert out == "True\nfinished lease.bin False\n"
    assert run(jupyter, HANDLER + "session.wait(timeout=30)", "lease") == "", "once, not per script"


def test_stop_ends_the_waiting_and_the_download_goes_on(
    jupyter: JupyterServer, files: FileServer
) -> None:
    source = files.add("stopped.bin", content(1000), hold_at=0)
    code = HANDLER + "session.download(source, to='stopped/'); print('began', flush=True)\n"
    with start(jupyter, code + "session.wait()", "stopped", source) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        files.wait_for(lambda: bool(files["stopped.bin"].requests))
        time.sleep(0.3)  # it says nothing once it stands in the wait
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - started < 5
    assert errors.rstrip().endswith("KeyboardInterrupt")
    files.hold("stopped.bin", None)
    deadline = time.monotonic() + 20
    while jupyter.task("stopped")["state"] != "completed":
        assert time.monotonic() < deadline, "the download ended with the waiting"
        time.sleep(0.1)


def test_scripts_of_one_session_run_one_after_the_other_without_waiting_for_a_lease(
    jupyter: JupyterServer,
) -> None:
    for _ in range(3):
        assert run(jupyter, "print(session.is_owner)", "in-turn") == "True\n"
