"""The extension comes and goes with the server, and kernels do not notice that it is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.fileserver import FileServer, content

ROOT = Path(__file__).parents[2]
ENABLED = "--ServerApp.jpserver_extensions={'jupyter_bgdl': True}"


def test_importing_the_package_loads_no_server() -> None:
    code = (
        "import jupyter_bgdl, sys; "
        "print([m for m in ('jupyter_server', 'jupyterlab', 'httpx') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_file_that_the_wheel_installs_enables_it(tmp_path: Path, make_server: Any) -> None:
    folder = tmp_path / "jupyter" / "config" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "jupyter-config" / "server-config" / "jupyter_bgdl.json", folder)
    with make_server(tmp_path / "jupyter") as server:
        assert server.get("bgdl")["name"] == "jupyter_bgdl"


def test_P11_stopped_in_the_middle_it_says_so_and_goes_on_at_the_next_start(
    tmp_path: Path, make_server: Any, files: FileServer, attach: Callable[..., dict[str, Any]]
) -> None:
    body = content(8_000_000)
    url = files.add("a.bin", body, hold_at=4_000_000)
    server = make_server(tmp_path / "jupyter", arguments=(ENABLED,))
    with server:
        attach(server, "s", "one")
        spec = {"request": {"url": url}, "destination": f"{tmp_path}/a.bin"}
        server.post("bgdl/sessions/s/tasks", {"tasks": [spec]})
        deadline = time.monotonic() + 20
        while server.task("s")["received"] < 4_000_000:  # sent is not yet received
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begun = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert time.monotonic() - begun < 12
        log = server.logged()
        assert "1 paused" in log
        assert "Traceback" not in log
        files.hold("a.bin", None)
        server.start()
        files.wait_for(lambda: files["a.bin"].reached == len(body))
        deadline = time.monotonic() + 20
        while server.task("s")["state"] != "completed":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert Path(f"{tmp_path}/a.bin").read_bytes() == body
    assert "range" in files["a.bin"].requests[-1]
