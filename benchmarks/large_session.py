"""``session-…``: a session of 100,000 tasks, each against the ``limit`` that we allow ourselves.

A kernel of its own hands them all in with ``download_all``; their server takes connections and
never answers, so that they stay. Then its kernel attaches anew, the API is asked for what a
panel and a notebook ask for, and the Jupyter server is stopped and started again.

    session-create    s   download_all, as the kernel sees it
    session-attach    s   attaching to it
    session-api-p95   ms  views, pages of 100 tasks and single tasks
    session-restart   s   from the start of the Jupyter server's process to its answer
    session-memory    MB  by how much the Jupyter server had grown at the most
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import DISK, Bench
from benchmarks.figure import Figure, percentile
from demo.jupyter import JupyterServer, running_server

NAMES = (
    "session-create",
    "session-attach",
    "session-api-p95",
    "session-restart",
    "session-memory",
)
LIMITS = dict(zip(NAMES, (10.0, 1.0, 100.0, 5.0, 200.0), strict=True))
UNITS = dict(zip(NAMES, ("s", "s", "ms", "s", "MB"), strict=True))
SESSION = "large"
ASKED = 300
"""Requests to the API."""

_KERNEL = """
import sys, time
import jupyter_bgdl as bgdl
url, token, port, count, folder = sys.argv[1:]
session = bgdl.background_session("large", server_url=url, token=token)
urls = [f"http://127.0.0.1:{port}/file-{number}.bin" for number in range(int(count))]
start = time.perf_counter()
tasks = session.download_all(urls, to=folder) if urls else []
created = time.perf_counter() - start
assert len(tasks) == len(urls)
session.detach()
start = time.perf_counter()
bgdl.Session(bgdl.SessionConfiguration.background("large"), server_url=url, token=token)
print(created, time.perf_counter() - start)
"""


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of one that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def memory(pid: int, field: str) -> float:
    """MB: ``VmRSS`` now, ``VmHWM`` at the most."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the Jupyter server has ended")


async def kernel(server: JupyterServer, port: int, count: int, folder: Path) -> tuple[float, float]:
    """Seconds to hand in ``count`` tasks, and to attach again."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _KERNEL, server.url, server.token, str(port), str(count)),
        f"{folder}/",
        stdout=PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the kernel of the large session failed")
    created, attached = map(float, output.split())
    return created, attached


async def latencies(server: JupyterServer, count: int) -> list[float]:
    """Of what a panel and a notebook ask for, in ms."""
    session = f"bgdl/sessions/{SESSION}"
    paths = (
        "bgdl/sessions",
        session,
        f"{session}/tasks?limit=100&after={count // 2}",
        f"{session}/tasks/{count // 2}",
    )
    times = []
    for number in range(ASKED):
        start = time.perf_counter()
        await server.request("GET", paths[number % len(paths)])
        times.append((time.perf_counter() - start) * 1000)
    return times


async def measure(bench: Bench) -> list[Figure]:
    values = {}
    with bench.folder(DISK) as home, silent_server() as port:
        target = home / "target"
        async with running_server(home) as server:
            await kernel(server, port, 0, target)  # all is loaded now
            before = memory(server.process.pid, "VmRSS")
            created, attached = await kernel(server, port, bench.large_session, target)
            times = await latencies(server, bench.large_session)
            values["session-memory"] = memory(server.process.pid, "VmHWM") - before
        values["session-create"] = created
        values["session-attach"] = attached
        values["session-api-p95"] = percentile(times, 0.95)
        start = time.perf_counter()
        async with running_server(home) as server:
            view = await server.request("GET", f"bgdl/sessions/{SESSION}")
            values["session-restart"] = time.perf_counter() - start
            unfinished = view["counts"]["waiting"] + view["counts"]["running"]
            if unfinished != bench.large_session:
                raise RuntimeError(f"{unfinished} tasks are there after the restart")
    return [
        Figure(name, UNITS[name], values[name], {"limit": LIMITS[name]}, more_is_better=False)
        for name in NAMES
    ]
