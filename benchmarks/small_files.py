"""``small-files`` and ``small-files-engine``: many files of 100 KiB from one server.

``small-files`` goes through the whole product onto the disk: from the REST call that submits
them all to the event that tells of the last one's completion, each of them durable and in the
ledger. A peer's time ends when ``sync FILE…`` has ended. ``small-files-engine`` is the engine
alone, into memory, and the peers do not sync.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench import DISK, MEMORY, Bench
from benchmarks.engine_runs import running_engine
from benchmarks.figure import OURS, Figure, Run, compare, interleave
from benchmarks.peers import (
    FetchAll,
    aria2_all,
    available,
    curl_all,
    durable_all,
    seconds_of,
    wget_all,
)
from benchmarks.product import running_product
from benchmarks.python_peers import python_peers
from benchmarks.webserver import nginx

SIZE = 100 * 1024
PYTHON = ("parfive", "pypdl")


class Collection:
    """``count`` files that differ, each named by its number."""

    def __init__(self, root: Path, count: int) -> None:
        self.count = count
        self._noise = random.Random(count).randbytes(SIZE - 8)
        root.mkdir()
        for number in range(count):
            (root / str(number)).write_bytes(self._content(number))

    def _content(self, number: int) -> bytes:
        return number.to_bytes(8, "big") + self._noise

    def files(self, url: str, folder: Path) -> list[tuple[str, Path]]:
        return [(f"{url}{number}", folder / str(number)) for number in range(self.count)]

    def verify(self, folder: Path) -> None:
        """Every byte of all; then remove them. Raises :class:`RuntimeError`."""
        for number in range(self.count):
            path = folder / str(number)
            if path.read_bytes() != self._content(number):
                raise RuntimeError(f"{path} has other bytes than were served")
            path.unlink()
        folder.rmdir()


def timed(collection: Collection, url: str, parent: Path, name: str, fetch_all: FetchAll) -> Run:
    numbers = itertools.count()

    async def once() -> Mapping[str, float]:
        folder = parent / f"{name}-{next(numbers)}"
        folder.mkdir()
        os.sync()
        seconds = await seconds_of(fetch_all(collection.files(url, folder)))
        collection.verify(folder)
        return {"files/s": collection.count / seconds}

    return once


async def measure_product(bench: Bench) -> list[Figure]:
    peers = {
        **available({"aria2": ("aria2c", aria2_all), "curl": ("curl", curl_all)}, bench.say),
        **python_peers(PYTHON, bench.say),
    }
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home, bench.folder(DISK) as target:
        collection = Collection(served / "root", bench.small_files)
        with nginx(served / "root", served) as url:
            async with running_product(home) as product:
                contestants = {
                    OURS: product.fetch_all,
                    **{name: durable_all(peer) for name, peer in peers.items()},
                }
                return await _race(bench, "small-files", collection, url, target, contestants)


async def measure_engine(bench: Bench) -> list[Figure]:
    peers = available(
        {"curl": ("curl", curl_all), "aria2": ("aria2c", aria2_all), "wget": ("wget", wget_all)},
        bench.say,
    )
    with bench.folder(MEMORY) as served, bench.folder(MEMORY) as target:
        collection = Collection(served / "root", bench.small_files)
        bench.touch_memory(target, 2 * bench.small_files * SIZE)
        with nginx(served / "root", served) as url:
            async with running_engine() as ours:
                contestants = {OURS: ours.fetch_all, **peers}
                return await _race(
                    bench, "small-files-engine", collection, url, target, contestants
                )


async def _race(
    bench: Bench,
    name: str,
    collection: Collection,
    url: str,
    target: Path,
    contestants: Mapping[str, FetchAll],
) -> list[Figure]:
    runs = {
        who: timed(collection, url, target, who, fetch_all)
        for who, fetch_all in contestants.items()
    }
    medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(name, "files/s", medians, "files/s", more_is_better=True)]
