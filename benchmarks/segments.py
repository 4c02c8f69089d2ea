"""``segments-16``: a file whose server sends 10 MiB/s on each connection, with up to 16 of them.

Through the whole product into memory. The peer ``limit`` is what 16 connections bring from the
first moment on; the others' time ends when ``sync FILE`` has ended. pypdl gets a smaller file: it
opens one connection only where a server names the ranges that it accepts in answer to a whole
request alone, as nginx does (a 206 need not repeat it: RFC 9110, section 15.3.7).
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import DISK, MEMORY, MIB, Bench
from benchmarks.figure import OURS, Figure, compare, interleave
from benchmarks.one_file import Download, smaller, timed_all
from benchmarks.peers import aria2, available, durably
from benchmarks.product import running_product
from benchmarks.python_peers import python_peers, single
from benchmarks.webserver import Site, nginx

NAME = "segments-16"
RATE = 10 * MIB
CONNECTIONS = 16


async def limit() -> Mapping[str, float]:
    return {"MB/s": CONNECTIONS * RATE / 1e6}


async def measure(bench: Bench) -> list[Figure]:
    peers = {
        **available({"aria2": ("aria2c", aria2)}, bench.say),
        **single(python_peers(["parfive"], bench.say)),
    }
    slow = single(python_peers(["pypdl"], bench.say))
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home, bench.folder(MEMORY) as target:
        root = served / "root"
        root.mkdir()
        bench.write_source(root / "file.bin", bench.limited_size)
        with nginx(Site(root, rate=RATE), served) as url:
            async with running_product(home) as product:
                download = Download(url + "file.bin", bench.limited_size, target)
                less = smaller(bench, root, download, bench.limited_size // CONNECTIONS)
                runs = timed_all(bench, {OURS: product.fetch, **durably(peers)}, download)
                runs |= timed_all(bench, durably(slow), less)
                # What a clock limits hardly varies.
                rounds = max(1, bench.rounds // 3)
                medians = await interleave({**runs, "limit": limit}, rounds, bench.say)
    return [compare(NAME, "MB/s", medians, "MB/s", more_is_better=True)]
