"""Runs launch cells: in the notebook's kernel, or in one that is started for it.

    events wait, nobody is there ─▶ which kernel has the notebook?
      none                 ─▶ start one, run the cell, wait until all was heard, shut it down
      fresh and idle       ─▶ run the cell there (it was just restarted)
      used before          ─▶ tell a person: code unasked could clobber their names
      busy, starting       ─▶ look again

Each after a grace period in which nothing changed. One launch per session at a time; the pauses
between fruitless ones are kept in the ledger (:mod:`jupyter_bgdl.service.launches`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Literal

from msgspec import Struct

from jupyter_bgdl.errors import BackgroundTransferError, LaunchError
from jupyter_bgdl.launches import LaunchCell
from jupyter_bgdl.server.kernel_client import connected
from jupyter_bgdl.server.launch_run import Ending, LaunchRun
from jupyter_bgdl.server.lifecycle import Lifecycle
from jupyter_bgdl.server.notebooks import Notebooks
from jupyter_bgdl.service.changes import Change
from jupyter_bgdl.service.launches import Due
from jupyter_bgdl.service.service import Service

log = logging.getLogger(__name__)

_TICK: Final = 1.0
"""Seconds between two looks while something is to be launched and cannot be yet."""

Key = tuple[str, str]


class LaunchSettings(Struct, frozen=True, kw_only=True):
    """In seconds."""

    grace: float = 5.0
    """How long a person who restarts a kernel or opens a notebook gets to run the cell."""
    pause: float = 60.0
    """After a fruitless launch; doubled with each."""
    limit: float = 3600.0
    """What a launch may take in a kernel that was started for it."""


class Choice(Struct, frozen=True):
    """What is to be done for a session."""

    kind: Literal["start", "run", "tell", "later"]
    kernel: str | None = None
    notice: str = ""


_LATER: Final = Choice("later")


class Launcher:
    """Everything is called on the event loop."""

    def __init__(
        self,
        service: Service,
        notebooks: Notebooks,
        settings: LaunchSettings,
        allowed: Callable[[], Awaitable[bool]],
        lifecycle: Lifecycle,
    ) -> None:
        """``allowed`` tells whether a kernel may run code, each time that the server does it."""
        self._service = service
        self.notebooks = notebooks
        self._settings = settings
        self._allowed = allowed
        self._lifecycle = lifecycle
        self._used: dict[str, int | None] = {}
        """Kernels in which code was run, and their processes then."""
        self._jobs: dict[Key, asyncio.Task[None]] = {}
        self._runs: dict[Key, LaunchRun] = {}
        self._dirty = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._unsubscribe: Callable[[], None] | None = None
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._unsubscribe = self._service.subscribe(self._changed)
        self._dirty.set()
        self._main = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Kernels that it started are left to the server, which shuts all of them down."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        tasks = [*self._jobs.values(), *([self._main] if self._main else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def completed(self, user: str, identifier: str) -> None:
        """The completion handler was called in the kernel."""
        if run := self._runs.get((user, identifier)):
            run.completed = True

    def run_now(self, user: str, identifier: str, cell: LaunchCell) -> None:
        """A person wants it, whatever was run in the kernel. Returns at once. Raises
        :class:`LaunchError` while it is being run."""
        key = (user, identifier)
        if key in self._runs:
            raise LaunchError("The launch cell is being run already.")
        if waiting := self._jobs.pop(key, None):
            waiting.cancel()
        self._begin(Due(user, identifier, cell), by_hand=True)

    # Who is to be launched

    def _changed(self, change: Change) -> None:
        # In the service's thread, and often: progress is a change, too.
        if not self._dirty.is_set():
            self._loop.call_soon_threadsafe(self._dirty.set)

    async def _watch(self) -> None:
        later = False
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._dirty.wait(), _TICK if later or self._jobs else None)
            self._dirty.clear()
            try:
                agenda = await self._service.launches.agenda()
            except BackgroundTransferError:
                later = True
            else:
                later = agenda.later or bool(agenda.due)
                for due in agenda.due:
                    if (due.user, due.identifier) not in self._jobs:
                        self._begin(due)
            # However often something changes, this is enough.
            await asyncio.sleep(_TICK / 2)

    def _begin(self, due: Due, *, by_hand: bool = False) -> None:
        key = (due.user, due.identifier)
        job = asyncio.create_task(self._guarded(due, by_hand))
        self._jobs[key] = job

        def ended(job: asyncio.Task[None]) -> None:
            if self._jobs.get(key) is job:
                del self._jobs[key]

        job.add_done_callback(ended)

    async def _guarded(self, due: Due, by_hand: bool) -> None:
        try:
            choice = await self._insist(due) if by_hand else await self._choose(due)
            if choice.kind == "tell":
                await self._service.launches.notify(due.user, due.identifier, choice.notice)
            elif choice.kind != "later":
                await self._launch(due, choice.kernel)
        except BackgroundTransferError as error:
            log.info("The launch cell of %r was not run: %s", due.identifier, error)
        except Exception:
            # One session's trouble is not the others'.
            log.exception("The launch cell of %r could not be run.", due.identifier)
            await asyncio.sleep(self._settings.pause)

    async def _insist(self, due: Due) -> Choice:
        kernel = await self.notebooks.kernel_of(due.cell.notebook)
        return Choice("run" if kernel else "start", kernel)

    async def _choose(self, due: Due) -> Choice:
        """The same twice, a grace period apart."""
        first = await self._look(due.cell)
        if first.kind == "later":
            return _LATER
        await asyncio.sleep(self._settings.grace)
        if due not in (await self._service.launches.agenda()).due:
            return _LATER
        return first if first == await self._look(due.cell) else _LATER

    async def _look(self, cell: LaunchCell) -> Choice:
        name = cell.notebook.rpartition("/")[2]
        if not await self._allowed():
            return Choice("tell", notice="The server does not allow kernels to run code now.")
        kernel = await self.notebooks.kernel_of(cell.notebook)
        if kernel is None:
            if await self.notebooks.exists(cell.notebook):
                return Choice("start")
            return Choice(
                "tell",
                notice=f"{name} is not where it was ({cell.notebook}). Open the notebook, and run "
                "the cell that makes this session.",
            )
        state = self.notebooks.state(kernel)
        if state == "dead":
            return Choice("tell", kernel, f"The kernel of {name} died. Restart it.")
        if state != "idle":
            return _LATER
        try:
            was_used = await self._was_used(kernel)
        except TimeoutError:
            return _LATER  # It is busy after all.
        if was_used:
            return Choice(
                "tell",
                kernel,
                f"Completed transfers wait for {name}. Code was run in its kernel, so the launch "
                "cell is not run there unasked.",
            )
        return Choice("run", kernel)

    async def _was_used(self, kernel: str) -> bool:
        """It is asked once only: each question counts as activity, and would hold off a culler."""
        process = self.notebooks.process(kernel)
        if self._used.get(kernel, 0) == process:
            return True
        async with connected(self.notebooks.kernels, kernel) as client:
            if await client.executed() == 0:
                return False
        self._used[kernel] = process
        return True

    # One launch

    async def _launch(self, due: Due, kernel: str | None) -> None:
        """In that kernel; None: in one that is started for it, and shut down unless somebody has
        opened it."""
        user, identifier, launches = due.user, due.identifier, self._service.launches
        name = due.cell.notebook.rpartition("/")[2]
        started = kernel is None
        ending = Ending.FAILED
        run = LaunchRun(self._service, self.notebooks, due, watched=started)
        self._runs[user, identifier] = run
        try:
            await launches.begin(user, identifier, self._settings.pause)
            self._lifecycle.launch_started(identifier, due.cell.notebook)
            if kernel is None:
                await run.note(f"Starts a kernel for {name}, to run the launch cell.")
                await launches.launched(user, identifier, True)
                kernel = await self.notebooks.start(due.cell.notebook, due.cell.kernel_name)
            else:
                await run.note(f"Runs the launch cell in the kernel of {name}.")
            async with asyncio.timeout(self._settings.limit):
                ending = await run.run(kernel)
        except TimeoutError:
            await run.note(f"The launch took more than {self._settings.limit:g} s.")
        except BackgroundTransferError:
            raise
        except Exception as error:
            # Whatever keeps a kernel from starting: shown where the person looks.
            log.warning("The launch cell of %r failed", identifier, exc_info=True)
            await run.note(f"The launch failed: {error}")
        finally:
            self._runs.pop((user, identifier), None)
            try:
                if started and kernel is not None and ending is not Ending.OPENED:
                    await self.notebooks.shut_down(kernel)
            finally:
                fruitful = await launches.end(user, identifier, self._settings.pause)
                self._lifecycle.launch_ended(identifier, due.cell.notebook, delivered=fruitful)
        await self._conclude(due, run, ending, fruitful, started)

    async def _conclude(
        self, due: Due, run: LaunchRun, ending: Ending, fruitful: bool, started: bool
    ) -> None:
        name = due.cell.notebook.rpartition("/")[2]
        if ending is Ending.OPENED:
            await run.note(f"{name} was opened: its kernel stays.")
        elif started:
            await run.note(f"The kernel of {name} was shut down.")
        if ending is Ending.DEAF:
            # It would be as deaf the next time, and run whatever else the cell does.
            await self._service.launches.switch(due.user, due.identifier, False)
            await run.note(
                "The launch cell registers neither a delegate nor a handler for this session, so "
                "it heard nothing. It is not launched again until that cell was run."
            )
        elif not fruitful:
            await run.note("The launch delivered nothing; the next one comes after a pause.")
