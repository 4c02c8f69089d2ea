"""``one-file-http-engine``: one file over http into memory, the engine alone.

What is timed begins with the unit handed to a worker that already runs, and ends when the file
has its final name. A peer's time begins with the start of its process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench import MEMORY, Bench
from benchmarks.figure import OURS, Figure, Run, compare, interleave
from benchmarks.peers import Fetch as Peer
from benchmarks.peers import aria2, available, curl, splice
from benchmarks.webserver import nginx
from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.protocol import Attempt, Failed, Fetch, Publish, Published, Ready, Report
from jupyter_bgdl.model import IfExists

NAME = "one-file-http-engine"


class EngineRuns:
    """Hands an engine one unit after the other and waits for what it reports."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        self.number = 0
        self._loop = asyncio.get_running_loop()
        engine.start(self._report)

    def _report(self, reports: list[Report]) -> None:
        """Called in a thread of the engine's."""
        self._loop.call_soon_threadsafe(self._take, reports)

    def _take(self, reports: list[Report]) -> None:
        for report in reports:
            self.reports.put_nowait(report)

    async def _ending(self, kind: type[Ready] | type[Published]) -> Ready | Published:
        while True:
            report = await self.reports.get()
            if isinstance(report, Failed):
                raise RuntimeError(f"the engine failed: {report.code} {report.message}")
            if isinstance(report, kind):
                return report

    async def fetch(self, url: str, target: Path) -> None:
        self.number += 1
        attempt = Attempt(self.number, 1)
        self.engine.submit(
            [Fetch(attempt=attempt, url=url, folder=str(target.parent), name=target.name)]
        )
        ready = await self._ending(Ready)
        assert isinstance(ready, Ready)
        self.engine.submit(
            [
                Publish(
                    attempt=attempt,
                    part=ready.part,
                    size=ready.size,
                    target=str(target),
                    if_exists=IfExists.KEEP,
                )
            ]
        )
        await self._ending(Published)


def timed(bench: Bench, url: str, folder: Path, fetch: Peer) -> Run:
    """Fetch into ``folder``, verify; the rate in MB/s."""

    async def run() -> Mapping[str, float]:
        target = folder / "file.bin"
        begun = time.perf_counter()
        await fetch(url, target)
        seconds = time.perf_counter() - begun
        bench.verify(target, bench.file_size)
        return {"MB/s": bench.file_size / seconds / 1e6}

    return run


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(MEMORY) as home:
        root, target = home / "root", home / "target"
        root.mkdir()
        target.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(target, 4 * bench.file_size)
        engine = LocalEngine()
        try:
            ours = EngineRuns(engine)
            with nginx(root, home) as url:
                peers = available({"curl": curl, "splice": splice, "aria2": aria2}, bench.say)
                contestants = {
                    name: timed(bench, url + "file.bin", target, fetch)
                    for name, fetch in {OURS: ours.fetch, **peers}.items()
                }
                medians = await interleave(contestants, bench.rounds, bench.say)
        finally:
            engine.close(5)
    return [compare(NAME, "MB/s", medians, "MB/s", more_is_better=True)]
