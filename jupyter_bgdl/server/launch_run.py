"""One launch: the cell is run in a kernel, then waited for until the session has heard all."""

from __future__ import annotations

import asyncio
import enum
import time
from typing import Any, Final

from jupyter_bgdl.server.kernel_client import ANSWER, KernelClient, connected
from jupyter_bgdl.server.launch_output import LaunchOutput
from jupyter_bgdl.server.notebooks import Notebooks
from jupyter_bgdl.service.launches import Due
from jupyter_bgdl.service.service import Service

_LOOK: Final = 0.5
_PATIENCE: Final = 30.0
"""Seconds that an idle kernel which takes events may go without taking one."""

MODULE: Final = "__import__('jupyter_bgdl.kernel.launching', fromlist=['launching'])"
"""In a kernel, without leaving a name behind."""


def begin(identifier: str, *, rehearses: bool = False) -> str:
    """What is said to a kernel before the launch cell. A kernel that comes to it later than it is
    waited for ignores it: the next cell is a person's then."""
    until = time.time() + ANSWER
    return f"{MODULE}.begin({identifier!r}, {until!r}, rehearses={rehearses})"


class Ending(enum.Enum):
    HEARD = enum.auto()
    """Everything was delivered, or nothing more will be."""
    DEAF = enum.auto()
    """The cell ran, and nobody takes the session's events."""
    OPENED = enum.auto()
    """Somebody opened the notebook: the kernel is theirs."""
    FAILED = enum.auto()


class LaunchRun:
    def __init__(self, service: Service, notebooks: Notebooks, due: Due, *, watched: bool) -> None:
        """``watched``: the kernel was started for it, so it matters whether somebody opens it."""
        self._service = service
        self._notebooks = notebooks
        self._due = due
        self._watched = watched
        self.completed = False
        """The completion handler was called."""

    async def note(self, text: str) -> None:
        """A line in the session's log."""
        due = self._due
        await self._service.append_log(due.user, due.identifier, text, "server")

    async def run(self, kernel: str) -> Ending:
        await self._until_idle(kernel)
        # Jupyter starts one that dies again, at once: the next process knows of no session, and
        # never answers what the former was asked.
        process = self._notebooks.process(kernel)
        work = asyncio.create_task(self._work(kernel))
        death = asyncio.create_task(self._until_dead(kernel, process))
        try:
            await asyncio.wait((work, death), return_when=asyncio.FIRST_COMPLETED)
            if not self._has_died(kernel, process):
                return await work
            await self.note("The kernel died.")
            return Ending.FAILED
        finally:
            work.cancel()
            death.cancel()
            await asyncio.gather(work, death, return_exceptions=True)

    def _has_died(self, kernel: str, process: int | None) -> bool:
        state = self._notebooks.state(kernel)
        return state == "dead" or self._notebooks.process(kernel) != process

    async def _until_dead(self, kernel: str, process: int | None) -> None:
        while True:
            if self._has_died(kernel, process):
                return
            await asyncio.sleep(_LOOK)

    async def _work(self, kernel: str) -> Ending:
        async with connected(self._notebooks.kernels, kernel) as client:
            try:
                await client.ask(begin(self._due.identifier))
            except TimeoutError:
                await self.note("The kernel is busy.")
                return Ending.FAILED
            except RuntimeError as error:
                await self.note(f"The kernel cannot run a launch cell: {error}")
                return Ending.FAILED
            output = LaunchOutput(self._write)
            ran_well = await client.run(self._due.cell.code, output)
            await output.close()
            ending = await self._until_heard(client, kernel)
        return Ending.FAILED if ending is Ending.DEAF and not ran_well else ending

    async def _until_idle(self, kernel: str) -> None:
        """A person may want it in a kernel that is at work."""
        while True:
            if self._notebooks.state(kernel) != "busy":
                return
            await asyncio.sleep(_LOOK)

    async def _write(self, text: str) -> None:
        await self._service.append_log(self._due.user, self._due.identifier, text, "callback")

    async def _state(self, client: KernelClient) -> Any:
        """None: the kernel is busy."""
        try:
            return await client.ask(f"{MODULE}.state({self._due.identifier!r})")
        except TimeoutError:
            return None

    async def _until_heard(self, client: KernelClient, kernel: str) -> Ending:
        user, identifier = self._due.user, self._due.identifier
        waits, since = -1, time.monotonic()
        while True:
            if self._watched and self._notebooks.is_open(kernel):
                await self._service.launches.launched(user, identifier, False)
                return Ending.OPENED
            state = self._notebooks.state(kernel)
            told = await self._state(client) if state == "idle" else None
            left = (await self._service.session(user, identifier)).undelivered
            if told is None or told == "working" or left != waits:
                waits, since = left, time.monotonic()
            if told == "deaf":
                return Ending.DEAF if left else Ending.HEARD
            if told == "quiet" and (
                not left or self.completed or time.monotonic() - since > _PATIENCE
            ):
                return Ending.HEARD
            await asyncio.sleep(_LOOK)
