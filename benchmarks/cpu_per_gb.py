"""``cpu-per-gb``: seconds of a core, user and system, that a GB over http into memory costs.

Ours are the worker's from before a fetch until after its file has its name, without a digest;
a peer's are those of its process, its start included. ``splice`` is a thread of the harness's.
The kernel counts in hundredths of a second, of which a file takes some tens.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from benchmarks.bench import MEMORY, Bench
from benchmarks.engine_runs import EngineRuns, running_engine
from benchmarks.figure import OURS, Figure, Run, compare, interleave
from benchmarks.peers import Fetch, aria2, available, curl, spliced
from benchmarks.webserver import nginx

NAME = "cpu-per-gb"

Costs = Callable[[str, Path], Awaitable[float]]
"""Fetches, and says how many seconds of a core it took."""


def of_worker(engine: EngineRuns) -> Costs:
    async def costs(url: str, target: Path) -> float:
        before = _process_seconds(engine.worker)
        await engine.fetch(url, target)
        return _process_seconds(engine.worker) - before

    return costs


def of_program(fetch: Fetch) -> Costs:
    async def costs(url: str, target: Path) -> float:
        before = _ended_children_seconds()
        await fetch(url, target)
        return _ended_children_seconds() - before

    return costs


async def of_splice(url: str, target: Path) -> float:
    def fetch() -> float:
        before = time.thread_time()
        spliced(url, target)
        return time.thread_time() - before

    return await asyncio.to_thread(fetch)


def _process_seconds(pid: int) -> float:
    # proc(5): behind the command come the fields from 3 on; 14 and 15 are utime and stime.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ended_children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def metered(bench: Bench, costs: Costs, url: str, target: Path) -> Run:
    async def once() -> Mapping[str, float]:
        seconds = await costs(url, target)
        bench.verify(target, bench.file_size)
        return {"s/GB": seconds / bench.file_size * 1e9}

    return once


async def measure(bench: Bench) -> list[Figure]:
    programs = available({"curl": ("curl", curl), "aria2": ("aria2c", aria2)}, bench.say)
    with bench.folder(MEMORY) as home:
        root, target = home / "root", home / "target"
        root.mkdir()
        target.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(target, 4 * bench.file_size)
        with nginx(root, home) as url:
            async with running_engine() as engine:
                # So that the worker runs, and its imports are not counted.
                await engine.fetch(url + "file.bin", target / "first.bin")
                bench.verify(target / "first.bin", bench.file_size)
                contestants = {
                    OURS: of_worker(engine),
                    "splice": of_splice,
                    **{name: of_program(fetch) for name, fetch in programs.items()},
                }
                runs = {
                    name: metered(bench, costs, url + "file.bin", target / f"{name}.bin")
                    for name, costs in contestants.items()
                }
                medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(NAME, "s/GB", medians, "s/GB", more_is_better=False)]
