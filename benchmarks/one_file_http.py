"""``one-file-http`` and ``one-file-http-tmpfs``: one file over http through the whole product.

What is timed begins with the REST call that submits the task and ends with the event that tells
of its completion: ledger, checkpoints, final fsync and publishing included. A peer has the same
duty: its time ends when ``sync FILE`` has ended. That of one written in Python begins after its
imports; the slow ones get a smaller file.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import DISK, MEMORY, Bench
from benchmarks.figure import OURS, Figure, compare, interleave
from benchmarks.one_file import Download, smaller, timed_all
from benchmarks.peers import aria2, available, curl, durably, wget
from benchmarks.product import running_product
from benchmarks.python_peers import python_peers, single
from benchmarks.webserver import nginx

SLOW = ("parfive", "pypdl", "pooch")


async def _measure(bench: Bench, name: str, parent: Path) -> list[Figure]:
    peers = {
        **available(
            {"curl": ("curl", curl), "aria2": ("aria2c", aria2), "wget": ("wget", wget)}, bench.say
        ),
        **single(python_peers(["requests"], bench.say)),
    }
    slow = single(python_peers(SLOW, bench.say)) if parent == DISK else {}
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home, bench.folder(parent) as target:
        root = served / "root"
        root.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(served, 4 * bench.file_size)
        with nginx(root, served) as url:
            async with running_product(home) as product:
                download = Download(url + "file.bin", bench.file_size, target)
                less = smaller(bench, root, download, bench.slow_size)
                runs = timed_all(bench, {OURS: product.fetch, **durably(peers)}, download)
                runs |= timed_all(bench, durably(slow), less)
                medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(name, "MB/s", medians, "MB/s", more_is_better=True)]


async def measure_disk(bench: Bench) -> list[Figure]:
    return await _measure(bench, "one-file-http", DISK)


async def measure_memory(bench: Bench) -> list[Figure]:
    return await _measure(bench, "one-file-http-tmpfs", MEMORY)
