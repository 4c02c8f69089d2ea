"""``worker-memory``: by how many MB the worker grows while 20 GB pass through it.

Sparse files, into memory, in three ways in the same worker, a third of the bytes each: files one
after the other at full speed; files in up to 16 segments, where the server sends 10 MB/s on a
connection; 200 tasks at once, from the same server. Each way has ten batches. What counts is how
far the memory rises in the later nine above the most that it was in the first; the figure is the
largest of the three. The peer ``limit`` is what we allow ourselves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import MEMORY, Bench
from benchmarks.engine_runs import EngineRuns, running_engine
from benchmarks.figure import Figure
from benchmarks.webserver import Site, nginx
from jupyter_bgdl.engine.protocol import Limits

NAME = "worker-memory"
LIMIT = 20.0
"""MB."""
BATCHES = 10
RATE = 10_000_000
"""Bytes a second on one connection."""
_LOOK_AGAIN = 0.05
"""Seconds."""


@dataclass(frozen=True)
class Way:
    """How bytes pass: so many ``tasks`` at once, with so many ``connections`` together."""

    name: str
    tasks: int
    connections: int
    is_limited: bool


WAYS = (
    Way("stream", tasks=1, connections=1, is_limited=False),
    Way("segments", tasks=1, connections=16, is_limited=True),
    Way("tasks", tasks=200, connections=200, is_limited=True),
)


def anonymous_memory(pid: int) -> float:
    """MB of real memory that a process has to itself."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the worker has ended")


class Watch:
    """Remembers the most memory that the worker had while the block ran."""

    def __init__(self, engine: EngineRuns) -> None:
        self._engine = engine
        self.most = 0.0

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._note()

    async def _look(self) -> None:
        while True:
            self._note()
            await asyncio.sleep(_LOOK_AGAIN)

    def _note(self) -> None:
        self.most = max(self.most, anonymous_memory(self._engine.worker))


async def growth(bench: Bench, engine: EngineRuns, way: Way, url: str, target: Path) -> float:
    """MB. The file's name on the server is the way's."""
    size = batch_size(bench, way)
    peaks = []
    for batch in range(BATCHES):
        files = [(url + way.name, target / f"{batch}-{number}") for number in range(way.tasks)]
        async with Watch(engine) as watch:
            await engine.fetch_all(files, connections=way.connections)
        for _, path in files:
            bench.verify(path, size)
        peaks.append(watch.most)
    grown = max(peaks[1:]) - peaks[0]
    bench.say(f"  {way.name:8} grown {grown:.1f} MB, from {peaks[0]:.1f} MB")
    return grown


def batch_size(bench: Bench, way: Way) -> int:
    """Bytes of each file."""
    return bench.endurance // len(WAYS) // BATCHES // way.tasks


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(MEMORY) as home:
        root, target, limited = home / "root", home / "target", home / "limited"
        for folder in (root, target, limited):
            folder.mkdir()
        for way in WAYS:
            bench.write_sparse(root / way.name, batch_size(bench, way))
        with nginx(root, home) as fast, nginx(Site(root, rate=RATE), limited) as slow:
            async with running_engine(Limits(transfers=200, connections_per_host=200)) as engine:
                await engine.fetch(fast + "tasks", target / "first")  # now the worker runs
                grown = [
                    await growth(bench, engine, way, slow if way.is_limited else fast, target)
                    for way in WAYS
                ]
    # Not below what a page more or less makes: a ratio needs a number above zero.
    return [Figure(NAME, "MB", max(0.1, *grown), {"limit": LIMIT}, more_is_better=False)]
