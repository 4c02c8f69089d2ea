"""The main job: a download outlives its kernel, and the next kernel hears of it."""

from __future__ import annotations

import hashlib
import json
import os
import signal

from support.fileserver import FileServer, content
from support.jupyter import JupyterServer

CELL = """
import jupyter_bgdl as bgdl
session = bgdl.background_session("main")

@session.on_finish
def finished(task, path):
    with open("calls.txt", "a") as f:
        f.write(f"{{task.task_identifier}} {{path}} {{task.redelivered}}\\n")

task = session.download({url!r}, to="data/", checksum="sha256:{sha256}")
"""


def cell(files: FileServer, name: str) -> str:
    return CELL.format(url=files.url(name), sha256=files[name].sha256)


def test_kernel_killed_at_30_percent_callback_once_in_the_new_kernel(
    jupyter: JupyterServer, files: FileServer
) -> None:
    size = 20_000_000
    files.add("big.bin", content(size), hold_at=size * 3 // 10)
    kernel = jupyter.start_kernel()
    kernel.run(cell(files, "big.bin"))
    files.wait_for(lambda: files["big.bin"].reached >= size * 3 // 10)
    os.kill(kernel.pid, signal.SIGKILL)
    kernel.close()
    files.hold("big.bin", None)
    files.wait_for(lambda: files["big.bin"].reached == size)
    # The kernel manager restarts a kernel that died; a person would open a new one all the same.
    jupyter.request("DELETE", f"api/kernels/{kernel.id}")

    fresh = jupyter.start_kernel()
    fresh.run(cell(files, "big.bin"))
    fresh.run("session.wait(timeout=30)")
    assert (jupyter.root / "calls.txt").read_text().splitlines() == [
        f"1 {jupyter.root / 'data' / 'big.bin'} False"
    ]
    path = jupyter.root / "data" / "big.bin"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == files["big.bin"].sha256
    assert sum("range" not in request for request in files["big.bin"].requests) == 1, "one download"
    fresh.run(cell(files, "big.bin"))
    fresh.run("session.wait(timeout=30)")
    assert len((jupyter.root / "calls.txt").read_text().splitlines()) == 1
    fresh.shutdown()


def test_kernel_restarted_5_times_progress_never_goes_back_one_callback(
    jupyter: JupyterServer, files: FileServer
) -> None:
    size = 30_000_000
    files.add("big.bin", content(size), hold_at=0)
    big = files["big.bin"]
    kernel = jupyter.start_kernel()
    kernel.run(cell(files, "big.bin"))
    seen = [0]
    for step in range(1, 6):
        at = size * step // 6
        files.hold("big.bin", at)
        files.wait_for(lambda at=at: big.reached >= at)
        kernel.restart()
        kernel.run(cell(files, "big.bin"))
        seen.append(int(json.loads(kernel.run("print(task.progress.received)"))))
    files.hold("big.bin", None)
    kernel.run("print(session.wait(timeout=30))")
    assert seen == sorted(seen)
    assert seen[-1] > 0
    assert sum("range" not in request for request in big.requests) == 1, "it began anew"
    assert len((jupyter.root / "calls.txt").read_text().splitlines()) == 1
    kernel.shutdown()
