"""The engine without the product around it: units in, reports out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Failed,
    Fetch,
    Limits,
    Publish,
    Published,
    Ready,
    Report,
    Source,
    Unit,
    Upload,
    Uploaded,
)
from jupyter_bgdl.model import IfExists


class EngineRuns:
    """Hands an engine units and waits for what it reports; use :func:`running_engine`."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._reports: asyncio.Queue[list[Report]] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        engine.start(self._report)

    @property
    def worker(self) -> int:
        """Process id of the worker, which runs once something was fetched."""
        pid = self._engine.pid
        assert pid is not None
        return pid

    def _report(self, reports: list[Report]) -> None:
        """Called in a thread of the engine's."""
        self._loop.call_soon_threadsafe(self._reports.put_nowait, reports)

    async def _next(self) -> list[Report]:
        reports = await self._reports.get()
        for report in reports:
            if isinstance(report, Failed):
                raise RuntimeError(f"the engine failed: {report.code} {report.message}")
        return reports

    async def fetch(self, url: str, target: Path) -> None:
        await self.fetch_all([(url, target)])

    async def fetch_all(
        self,
        files: Sequence[tuple[str, Path]],
        *,
        checksum: str | None = None,
        connections: int = 16,
    ) -> None:
        """Until each has its final name; with so many connections together. Handed over as the
        service does: as many as there is room for, and when one has ended, the next."""
        targets: dict[Attempt, Path] = {}
        fetches: list[Unit] = []
        for url, target in files:
            attempt = Attempt(next(self._numbers), 1)
            targets[attempt] = target
            fetches.append(
                Fetch(
                    attempt=attempt,
                    connections=connections,
                    url=url,
                    folder=str(target.parent),
                    name=target.name,
                    checksum=checksum,
                )
            )
        waiting = iter(fetches)
        units: list[Unit] = []
        while targets:
            units += itertools.islice(waiting, self._engine.capacity())
            if units:
                self._engine.submit(units)
            units = []
            for report in await self._next():
                if isinstance(report, Ready):
                    units.append(_publish(report, targets[report.attempt]))
                elif isinstance(report, Published):
                    del targets[report.attempt]

    async def upload(self, url: str, path: Path) -> None:
        """PUT it; until the server has answered with success."""
        attempt = Attempt(next(self._numbers), 1)
        self._engine.submit([Upload(attempt=attempt, url=url, method="PUT", source=_source(path))])
        while True:
            for report in await self._next():
                if isinstance(report, Uploaded):
                    if not 200 <= report.status_code < 300:
                        raise RuntimeError(f"the server answered {report.status_code}")
                    return


def _source(path: Path) -> Source:
    status = path.stat()
    return Source(
        path=str(path),
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        modified=status.st_mtime_ns,
    )


def _publish(ready: Ready, target: Path) -> Publish:
    return Publish(
        attempt=ready.attempt,
        part=ready.part,
        size=ready.size,
        target=str(target),
        if_exists=IfExists.KEEP,
    )


@asynccontextmanager
async def running_engine(
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> AsyncIterator[EngineRuns]:
    """An engine whose worker starts now and ends with the block."""
    engine = LocalEngine(limits)
    try:
        yield EngineRuns(engine)
    finally:
        engine.close(5)
