"""``one-file-http-engine``: one file over http into memory, the engine alone.

What is timed begins with the unit handed to a worker that already runs, and ends when the file
has its final name. A peer's time begins with the start of its process; that of one written in
Python after its imports. The slow ones get a smaller file.
"""

from __future__ import annotations

from benchmarks.bench import MEMORY, Bench
from benchmarks.engine_runs import running_engine
from benchmarks.figure import OURS, Figure, compare, interleave
from benchmarks.one_file import Download, smaller, timed_all
from benchmarks.peers import aria2, available, curl, splice, wget
from benchmarks.python_peers import python_peers, single
from benchmarks.webserver import nginx

NAME = "one-file-http-engine"


async def measure(bench: Bench) -> list[Figure]:
    peers = {
        **available({"curl": ("curl", curl)}, bench.say),
        "splice": splice,
        **available({"aria2": ("aria2c", aria2), "wget": ("wget", wget)}, bench.say),
        **single(python_peers(["requests"], bench.say)),
    }
    slow = single(python_peers(("parfive", "pypdl", "pooch"), bench.say))
    with bench.folder(MEMORY) as home:
        root, target = home / "root", home / "target"
        root.mkdir()
        target.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        bench.touch_memory(target, 4 * bench.file_size)
        with nginx(root, home) as url:
            async with running_engine() as ours:
                download = Download(url + "file.bin", bench.file_size, target)
                less = smaller(bench, root, download, bench.slow_size)
                runs = timed_all(bench, {OURS: ours.fetch, **peers}, download)
                runs |= timed_all(bench, slow, less)
                medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(NAME, "MB/s", medians, "MB/s", more_is_better=True)]
