"""``checksum``: one file over http into memory, its sha256 compared before it gets its name.

The engine alone. The peer ``bound`` is curl running beside ``openssl dgst -sha256`` of an equal
file that is there already: who has to wait for the bytes can hardly be faster. ``sha256sum`` is
the same with coreutils, which in many builds does not use the processor's own instructions.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.bench import MEMORY, Bench
from benchmarks.engine_runs import running_engine
from benchmarks.figure import OURS, Figure, compare, interleave
from benchmarks.one_file import Download, timed_all
from benchmarks.peers import Fetch, available, curl, run
from benchmarks.webserver import nginx

NAME = "checksum"


def beside(*hashing: str | Path) -> Fetch:
    async def fetch(url: str, target: Path) -> None:
        await asyncio.gather(curl(url, target), run(*hashing))

    return fetch


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(MEMORY) as home:
        root, target = home / "root", home / "target"
        root.mkdir()
        target.mkdir()
        file = root / "file.bin"
        bench.write_source(file, bench.file_size)
        bench.touch_memory(target, 4 * bench.file_size)
        checksum = f"sha256:{bench.sha256(bench.file_size)}"
        peers = available(
            {
                "bound": ("openssl", beside("openssl", "dgst", "-sha256", file)),
                "sha256sum": ("sha256sum", beside("sha256sum", file)),
            },
            bench.say,
        )
        with nginx(root, home) as url:
            async with running_engine() as engine:

                async def ours(url: str, target: Path) -> None:
                    await engine.fetch_all([(url, target)], checksum=checksum)

                download = Download(url + file.name, bench.file_size, target)
                runs = timed_all(bench, {OURS: ours, **peers}, download)
                medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(NAME, "MB/s", medians, "MB/s", more_is_better=True)]
