"""``upload``: one file PUT over http to an nginx that keeps it in memory, the engine alone.

What is timed begins with the unit handed to a worker that already runs, and ends with the
server's answer. The peer's time begins with the start of its process.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from benchmarks.bench import MEMORY, Bench
from benchmarks.engine_runs import running_engine
from benchmarks.figure import OURS, Figure, Run, compare, interleave
from benchmarks.peers import available, curl_put, seconds_of
from benchmarks.webserver import Site, nginx

NAME = "upload"

Put = Callable[[str, Path], Awaitable[None]]


def timed(bench: Bench, name: str, put: Put, source: Path, url: str, root: Path) -> Run:
    numbers = itertools.count()

    async def once() -> Mapping[str, float]:
        target = f"{name}-{next(numbers)}.bin"
        seconds = await seconds_of(put(url + target, source))
        bench.verify(root / target, bench.upload_size)
        return {"MB/s": bench.upload_size / seconds / 1e6}

    return once


async def measure(bench: Bench) -> list[Figure]:
    peers = available({"curl": ("curl", curl_put)}, bench.say)
    with bench.folder(MEMORY) as home:
        root, source = home / "root", home / "source.bin"
        root.mkdir()
        bench.write_source(source, bench.upload_size)
        bench.touch_memory(home, 2 * bench.upload_size)
        with nginx(Site(root, uploads=True), home) as url:
            async with running_engine() as ours:
                runs = {
                    name: timed(bench, name, put, source, url, root)
                    for name, put in {OURS: ours.upload, **peers}.items()
                }
                medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(NAME, "MB/s", medians, "MB/s", more_is_better=True)]
