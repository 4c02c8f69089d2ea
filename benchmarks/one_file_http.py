"""``one-file-http`` and ``one-file-http-tmpfs``: one file over http through the whole product.

What is timed begins with the REST call that submits the task and ends with the event that tells
of its completion: ledger, checkpoints, final fsync and publishing included. The peer has the same
duty: its time ends when ``sync FILE`` has ended.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench import DISK, MEMORY, Bench
from benchmarks.figure import OURS, Figure, Run, compare, interleave
from benchmarks.peers import Fetch, available, curl, run
from benchmarks.product import running_product
from benchmarks.webserver import nginx


def durable(fetch: Fetch) -> Fetch:
    """Fetch, then bring the file onto stable storage."""

    async def both(url: str, target: Path) -> None:
        await fetch(url, target)
        await run("sync", target)

    return both


def timed(bench: Bench, url: str, folder: Path, fetch: Fetch) -> Run:
    numbers = itertools.count()

    async def once() -> Mapping[str, float]:
        # A name of its own each time: the same one would find the task of the last time.
        target = folder / f"{fetch.__name__}-{next(numbers)}.bin"
        # What the run before left in the page cache must not be written at this one's expense.
        os.sync()
        begun = time.perf_counter()
        await fetch(url, target)
        seconds = time.perf_counter() - begun
        bench.verify(target, bench.file_size)
        return {"MB/s": bench.file_size / seconds / 1e6}

    return once


async def _measure(bench: Bench, name: str, parent: Path) -> list[Figure]:
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home, bench.folder(parent) as target:
        root = served / "root"
        root.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(served, 4 * bench.file_size)
        peers = {
            name: durable(fetch) for name, fetch in available({"curl": curl}, bench.say).items()
        }
        with nginx(root, served) as url:
            async with running_product(home) as product:
                contestants = {
                    name: timed(bench, url + "file.bin", target, fetch)
                    for name, fetch in {OURS: product.fetch, **peers}.items()
                }
                medians = await interleave(contestants, bench.rounds, bench.say)
    return [compare(name, "MB/s", medians, "MB/s", more_is_better=True)]


async def measure_disk(bench: Bench) -> list[Figure]:
    return await _measure(bench, "one-file-http", DISK)


async def measure_memory(bench: Bench) -> list[Figure]:
    return await _measure(bench, "one-file-http-tmpfs", MEMORY)
