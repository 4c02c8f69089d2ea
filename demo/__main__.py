"""``make demo``: kill a kernel in the middle of a download and get the file all the same.

Each step is printed with its numbers. The last line is ``demo: ok``; anything else ends with a
message and a status that is not 0.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx
from tornado.httpclient import HTTPError

from demo.jupyter import Channel, JupyterServer, code_cells, running_server
from demo.kernel import NotebookKernel, running_kernel
from demo.source import Source, open_source, parse_arguments
from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.model import Phase, TaskView
from jupyter_bgdl.process import process_started

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "quickstart.ipynb"
SESSION = "quickstart"
MARK = "on_finish:"
"""How the notebook's callback begins what it prints."""

SIZE = 60_000_000
RATE = 6_000_000.0
KILL_AT = 0.3
KILL_AT_BYTES = 5_000_000
"""Where the size is unknown."""
PROGRESS_TIMEOUT = 600.0
"""Seconds that one stage of a download from anywhere may take."""

TOO_SMALL = "the download was done before its kernel could be killed: take a larger file"

_begun = time.monotonic()


class DemoFailed(RuntimeError):
    """What the demo is to show did not happen."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - _begun:5.1f} s] {text}", flush=True)


def amount(task: TaskView) -> str:
    share = f" ({100 * task.received / task.total:.0f} %)" if task.total else ""
    return f"{task.received / 1e6:.1f} MB{share}"


async def only_task(server: JupyterServer) -> TaskView:
    """The session's one task, asked of the REST API."""
    tasks = await server.tasks(SESSION)
    if len(tasks) != 1:
        raise DemoFailed(f"the session has {len(tasks)} tasks instead of one")
    return tasks[0]


async def run_until_killed(kernel: NotebookKernel, cells: list[str], channel: Channel) -> None:
    """Run the cells; SIGKILL the kernel while the last one waits for the file."""
    for cell in cells[:-1]:
        await kernel.run(cell)
    waiting = asyncio.create_task(kernel.run(cells[-1], PROGRESS_TIMEOUT))
    moving = asyncio.create_task(
        channel.task(
            lambda task: task.received >= KILL_AT * (task.total or KILL_AT_BYTES / KILL_AT),
            PROGRESS_TIMEOUT,
        )
    )
    await asyncio.wait([waiting, moving], return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        moving.cancel()
        waiting.result()
        raise DemoFailed(TOO_SMALL)
    kernel.kill()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def first_kernel(server: JupyterServer, cells: list[str], channel: Channel) -> TaskView:
    """Start the download in a kernel, kill it, watch the bytes; the task as it is afterwards."""
    async with running_kernel(server, NOTEBOOK.name) as kernel:
        say(f"kernel {kernel.pid} runs the cells of {NOTEBOOK.name}")
        await run_until_killed(kernel, cells, channel)
        killed = await only_task(server)
        say(f"kernel {kernel.pid} killed with SIGKILL; the server has {amount(killed)}")
        if killed.phase is Phase.COMPLETED:
            raise DemoFailed(TOO_SMALL)
        ahead = killed.received + (killed.total or KILL_AT_BYTES) // 6
        await channel.task(
            lambda task: task.received >= ahead or task.phase is Phase.COMPLETED, PROGRESS_TIMEOUT
        )
        task = await only_task(server)
        if process_started(kernel.pid) is not None:
            raise DemoFailed(f"kernel {kernel.pid} still lives")
        say(
            f"process {kernel.pid} is gone and no kernel lives, but bytes keep arriving: "
            f"{amount(task)}, {(task.received - killed.received) / 1e6:.1f} MB more"
        )
        if task.received <= killed.received:
            raise DemoFailed("no byte arrived after the kernel was killed")
        if any(MARK in text for text in kernel.output):
            raise DemoFailed("the callback ran in the kernel that was killed")
        return task


async def second_kernel(server: JupyterServer, cells: list[str], before: TaskView) -> TaskView:
    """Run the same cells in a new kernel; the task when its file is there."""
    async with running_kernel(server, NOTEBOOK.name) as kernel:
        say(f"kernel {kernel.pid}, a new one, runs the same cells")
        for cell in cells[:-1]:
            await kernel.run(cell)
        found = await only_task(server)
        say(f"it found its task again: {amount(found)}, attempt {found.attempts}")
        # A download that fails says why here; one that was fetched again is no success either.
        await kernel.run(cells[-1], PROGRESS_TIMEOUT)
        if found.received < before.received or found.generation != before.generation:
            raise DemoFailed(f"it started over: {amount(before)} were there before")
        calls = [text.strip() for text in kernel.output if MARK in text]
        if len(calls) != 1:
            raise DemoFailed(f"the callback ran {len(calls)} times instead of once: {calls}")
        say(f"the callback ran in kernel {kernel.pid}, once: {calls[0]}")
    return await only_task(server)


def verify(task: TaskView, source: Source) -> None:
    """Read the file and compare its digest, independently of the product."""
    if task.error or not task.path:
        raise DemoFailed(f"the download failed: {task.error.message if task.error else task.phase}")
    with Path(task.path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if source.sha256 and digest != source.sha256:
        raise DemoFailed(f"sha256 is {digest}, and should be {source.sha256}")
    verdict = "as it should be" if source.sha256 else "no SHA256 was given to compare with"
    size = Path(task.path).stat().st_size
    say(f"{Path(task.path).name}: {size} bytes, sha256 {digest}, {verdict}")


async def tell(source: Source, home: Path) -> None:
    say(f"downloads {source.url.split('?')[0]}")
    cells = code_cells(NOTEBOOK)
    # The server would start the dead kernel again; the demo shows that nobody needs to.
    async with running_server(
        home, "--KernelManager.autorestart=False", environment=source.environment
    ) as server:
        shutil.copy(NOTEBOOK, server.root)
        say(f"Jupyter server {server.process.pid} runs at {server.url}")
        try:
            async with server.channel(SESSION) as channel:
                task = await first_kernel(server, cells, channel)
            verify(await second_kernel(server, cells, task), source)
        except Exception:
            print("--- the last lines of the server's log:", *server.log, sep="\n", file=sys.stderr)
            raise


def main() -> None:
    arguments = parse_arguments("Kill a kernel in the middle of a download.")
    # Stopped by whoever runs us, we still stop what we started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="bgdl-demo-") as home,
        open_source(arguments, size=SIZE, rate=RATE) as source,
    ):
        try:
            asyncio.run(tell(source, Path(home)))
        except (
            RuntimeError,
            BackgroundTransferError,
            TimeoutError,
            OSError,
            httpx.HTTPError,
            HTTPError,
        ) as error:
            sys.exit(f"demo: failed: {error or type(error).__name__}")
        except KeyboardInterrupt:
            sys.exit("demo: stopped")
    print("demo: ok")


if __name__ == "__main__":
    main()
