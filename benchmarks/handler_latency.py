"""``handler-latency-p50`` and ``-p99``: how long the Jupyter server takes to answer meanwhile.

While four downloads run at full speed, a client with one kept-alive connection asks the server
for ``/api`` over and over. Ours run in the server's worker; the peer is the same server beside
four curls that are as nice as the worker.
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
from benchmarks.product import Product, running_product
from benchmarks.webserver import nginx

DOWNLOADS = 4

FetchAll = Callable[[Sequence[tuple[str, Path]]], Awaitable[None]]


async def curl_all(files: Sequence[tuple[str, Path]]) -> None:
    await asyncio.gather(*(niced_curl(url, path) for url, path in files))


def timed(bench: Bench, product: Product, url: str, folder: Path, fetch_all: FetchAll) -> Run:
    numbers = itertools.count()
    probed = product.server.url + "api"

    async def once() -> Mapping[str, float]:
        name = f"{next(numbers)}-"
        files = [(url, folder / f"{name}{index}.bin") for index in range(DOWNLOADS)]
        async with probing(probed) as times:
            await fetch_all(files)
        for _, path in files:
            bench.verify(path, bench.file_size)
        return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}

    return once


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home:
        root = served / "root"
        root.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(served, 2 * DOWNLOADS * bench.file_size)
        peers = {"curl": curl_all} if available({"curl": niced_curl}, bench.say) else {}
        with nginx(root, served) as url:
            async with running_product(home) as product:
                contestants = {}
                for name, fetch_all in {OURS: product.fetch_all, **peers}.items():
                    folder = served / name
                    folder.mkdir()
                    contestants[name] = timed(bench, product, url + "file.bin", folder, fetch_all)
                medians = await interleave(contestants, bench.rounds, bench.say)
    return [
        compare(f"handler-latency-{key}", "ms", medians, key, more_is_better=False)
        for key in ("p50", "p99")
    ]
