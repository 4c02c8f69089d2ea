"""``handler-latency-p50`` and ``-p99``: how long the Jupyter server takes to answer meanwhile.

While four downloads run at full speed, a client with one kept-alive connection asks the server
for ``/api`` over and over. Ours run in the server's worker; the peer is the same server beside
four curls that are as nice as the worker.

A percentile is taken over the answers of all rounds together. One answer in a hundred meets a core
that somebody else holds until his time slice ends, and takes ten times as long: the 99th
percentile of a single round falls on one side of that step or the other by chance.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.bench import DISK, MEMORY, Bench
from benchmarks.figure import OURS, Figure, Run, compare, interleave, percentile
from benchmarks.peers import available, niced_curl
from benchmarks.probe import probing
from benchmarks.product import running_product
from benchmarks.webserver import nginx

DOWNLOADS = 4
ROUNDS = 2
"""For each round that the other figures get."""

FetchAll = Callable[[Sequence[tuple[str, Path]]], Awaitable[None]]


async def curl_all(files: Sequence[tuple[str, Path]]) -> None:
    await asyncio.gather(*(niced_curl(url, path) for url, path in files))


def timed(
    bench: Bench,
    probed: str,
    url: str,
    folder: Path,
    fetch_all: FetchAll,
    answers: list[list[float]],
) -> Run:
    """Each run adds its answers' times in ms to ``answers``."""
    numbers = itertools.count()

    async def once() -> Mapping[str, float]:
        name = f"{next(numbers)}-"
        files = [(url, folder / f"{name}{index}.bin") for index in range(DOWNLOADS)]
        async with probing(probed) as times:
            await fetch_all(files)
        for _, path in files:
            bench.verify(path, bench.file_size)
        answers.append(times)
        return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}

    return once


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home:
        root = served / "root"
        root.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(served, 2 * DOWNLOADS * bench.file_size)
        peers = available({"curl": ("curl", curl_all)}, bench.say)
        answers: dict[str, list[list[float]]] = {}
        with nginx(root, served) as url:
            async with running_product(home) as product:
                probed = product.server.url + "api"
                contestants = {}
                for name, fetch_all in {OURS: product.fetch_all, **peers}.items():
                    folder = served / name
                    folder.mkdir()
                    contestants[name] = timed(
                        bench,
                        probed,
                        url + "file.bin",
                        folder,
                        fetch_all,
                        answers.setdefault(name, []),
                    )
                await interleave(contestants, ROUNDS * bench.rounds, bench.say)
    # The first run of each was the warm-up.
    pooled = {name: list(itertools.chain(*runs[1:])) for name, runs in answers.items()}
    return [
        compare(
            f"handler-latency-{key}",
            "ms",
            {name: {key: percentile(times, share)} for name, times in pooled.items()},
            key,
            more_is_better=False,
        )
        for key, share in (("p50", 0.5), ("p99", 0.99))
    ]
