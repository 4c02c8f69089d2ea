"""An engine that does what a test says, and a service over it that can be stopped and reopened."""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import (
    Attempt,
    Checkpoint,
    Ending,
    Failed,
    Fetch,
    Headers,
    Limits,
    Part,
    Publish,
    Published,
    Ready,
    Report,
    Unit,
)
from jupyter_bgdl.model import (
    PROTOCOL,
    AttachReply,
    AttachRequest,
    EventKind,
    KernelIdentity,
    Phase,
    Request,
    TaskSpec,
    TaskView,
)
from jupyter_bgdl.service.changes import Change
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.service import Service

USER = "server"
S = "era5"
QUICK = Settings(
    backoff_base=0.001, backoff_cap=0.01, network_retry=0.01, disk_retry=0.01, lease_check=0.05
)


class Twin:
    """The engine in memory: it takes units, and reports what the test has it report."""

    def __init__(self, units: int = 16) -> None:
        self.units: queue.Queue[Unit] = queue.Queue()
        self.stopped: queue.Queue[Attempt] = queue.Queue()
        self.at_work: set[Attempt] = set()
        self.limit = units
        self.answers_stop = True
        self._report: Callable[[list[Report]], None] = lambda reports: None

    def start(self, report: Callable[[list[Report]], None]) -> None:
        self._report = report

    def submit(self, units: Iterable[Unit]) -> None:
        for unit in units:
            assert unit.attempt not in self.at_work
            self.at_work.add(unit.attempt)
            self.units.put(unit)

    def stop(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            self.stopped.put(attempt)
            if self.answers_stop and attempt in self.at_work:
                self.say(Failed(attempt=attempt, code="stopped"))

    def configure(self, limits: Limits) -> None:
        self.limit = limits.units

    def running(self) -> set[Attempt]:
        return set(self.at_work)

    def capacity(self) -> int:
        return self.limit - len(self.at_work)

    def close(self, timeout: float) -> None:
        for attempt in sorted(self.at_work, key=lambda a: a.task):
            self.say(Failed(attempt=attempt, code="stopped"))

    def say(self, *reports: Report) -> None:
        for report in reports:
            if isinstance(report, Ending):
                self.at_work.discard(report.attempt)
        self._report(list(reports))

    async def fetch(self) -> Fetch:
        unit = await asyncio.to_thread(self.units.get, True, 20)
        assert isinstance(unit, Fetch), unit
        return unit

    async def publish(self) -> Publish:
        unit = await asyncio.to_thread(self.units.get, True, 20)
        assert isinstance(unit, Publish), unit
        return unit

    def part(self, fetch: Fetch, size: int = 0) -> Part:
        """A real file, as the engine would have made it."""
        folder = Path(fetch.folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{fetch.attempt.task}-{fetch.attempt.number}.part"
        path.write_bytes(b"x" * size)
        status = path.stat()
        return Part(str(path), status.st_dev, status.st_ino)

    def headers(
        self, fetch: Fetch, total: int = 100, part: Part | None = None, received: int = 0
    ) -> Part:
        part = part or self.part(fetch, total)
        self.say(
            Headers(
                attempt=fetch.attempt,
                url=fetch.url,
                status_code=200,
                headers={},
                name=fetch.name or "suggested.bin",
                part=part,
                received=received,
                total=total,
                validator='"v"',
            )
        )
        return part

    def ready(self, fetch: Fetch, part: Part, size: int = 100) -> None:
        self.say(
            Ready(
                attempt=fetch.attempt,
                part=part,
                size=size,
                digest=fetch.checksum,
                name=fetch.name or "suggested.bin",
            )
        )

    def published(self, unit: Publish) -> None:
        """Give the part its name, as the engine would."""
        Path(unit.target).parent.mkdir(parents=True, exist_ok=True)
        if unit.keep and not Path(unit.keep).exists():
            os.link(unit.part.path, unit.keep)
        if Path(unit.part.path).exists():
            Path(unit.part.path).rename(unit.target)
        self.say(Published(unit.attempt, unit.target))

    def fail(self, unit: Unit, code: str, **more: Any) -> None:
        self.say(Failed(attempt=unit.attempt, code=code, **more))

    def checkpoint(self, fetch: Fetch, end: int) -> None:
        self.say(Checkpoint(fetch.attempt, [(0, end)]))

    async def bring(self, size: int = 100) -> Fetch:
        """One whole transfer that goes well."""
        fetch = await self.fetch()
        self.ready(fetch, self.headers(fetch, size), size)
        self.published(await self.publish())
        return fetch


class House:
    """A service over a twin, on one folder of state."""

    def __init__(self, home: Path, settings: Settings = QUICK) -> None:
        self.home = home
        self.state = home / "state"
        self.settings = settings
        self.living: dict[str, bool | None] = {}
        self.changes: list[Change] = []
        self._changed = asyncio.Event()
        self.service: Service
        self.engine: Twin

    def open(self, **twin: Any) -> House:
        loop = asyncio.get_running_loop()
        self.engine = Twin(**twin)
        self.service = Service(
            self.state,
            self.engine,
            alive=lambda kernel: self.living.get(kernel.incarnation),
            settings=self.settings,
        )

        def note(change: Change) -> None:
            self.changes.append(change)
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._changed.set)

        self.service.subscribe(note)
        self.service.start()
        return self

    def close(self) -> None:
        self.service.close(10)

    def crash(self) -> None:
        """As if killed: the engine's last reports are lost, nothing is put in order."""
        self.engine.close = lambda timeout: None  # type: ignore[method-assign]
        self.service.close(10)

    def reopen(self) -> House:
        self.crash()
        return self.open()

    async def until(self, holds: Callable[[], Awaitable[bool]], timeout: float = 20.0) -> None:
        """Look again after each change that the service tells of."""
        async with asyncio.timeout(timeout):
            while True:
                self._changed.clear()
                if await holds():
                    return
                await self._changed.wait()

    async def until_phase(self, number: int, phase: Phase, **fields: Any) -> TaskView:
        async def holds() -> bool:
            view = await self.service.task(USER, S, number)
            return view.phase is phase and all(
                getattr(view, name) == value for name, value in fields.items()
            )

        await self.until(holds)
        return await self.service.task(USER, S, number)

    def kernel(self, incarnation: str = "k1", **more: Any) -> KernelIdentity:
        return KernelIdentity(
            incarnation=incarnation,
            pid=os.getpid(),
            host="here/boot",
            started=0.0,
            directory=str(self.home),
            inode=self.home.stat().st_ino,
            **more,
        )

    async def attach(
        self,
        incarnation: str = "k1",
        *,
        session: str = S,
        configuration: dict[str, Any] | None = None,
        take_over: bool = False,
        **kernel: Any,
    ) -> AttachReply:
        request = AttachRequest(
            protocol=PROTOCOL,
            kernel=self.kernel(incarnation, **kernel),
            configuration=configuration or {},
            take_over=take_over,
        )
        return await self.service.attach(USER, session, request)

    def spec(self, name: str = "a.bin", **more: Any) -> TaskSpec:
        more.setdefault("destination", str(self.home / "out" / name))
        request = Request(
            more.pop("url", f"http://host.test/{name}"), headers=more.pop("headers", {})
        )
        return TaskSpec(request=request, **more)

    async def submit(self, *specs: TaskSpec) -> list[tuple[str, TaskView]]:
        reply = await self.service.submit(USER, S, list(specs))
        return [(one.match.value, one.task) for one in reply.tasks]

    async def acknowledge(self, epoch: int, *sequences: int) -> None:
        await self.service.acknowledge(USER, S, epoch, [(n, None) for n in sequences])

    async def kinds(self, epoch: int, after: int = 0) -> list[EventKind]:
        events = await self.service.events(USER, S, epoch, after=after, limit=1000)
        return [event.kind for event in events]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path).open()
    yield house
    house.close()


@pytest.fixture
def names() -> Any:
    """What tests need by name: they cannot import this file under importlib."""

    class Names:
        user = USER
        session = S
        quick = QUICK
        House = House
        Twin = Twin

    return Names
