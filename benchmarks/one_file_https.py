"""``one-file-https``: one file over https through the whole product, onto the disk.

Timed as ``one-file-http``: the peers' time ends when ``sync FILE`` has ended. All are given the
authority that the server's certificate is signed by.
"""

from __future__ import annotations

from benchmarks.bench import DISK, MEMORY, Bench
from benchmarks.figure import OURS, Figure, compare, interleave
from benchmarks.one_file import Download, timed_all
from benchmarks.peers import available, durably, trusting_aria2, trusting_curl
from benchmarks.product import running_product
from benchmarks.webserver import Site, ca_bundle, nginx

NAME = "one-file-https"


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(MEMORY) as served, bench.folder(DISK) as home, bench.folder(DISK) as target:
        root, ca = served / "root", ca_bundle(served)
        root.mkdir()
        bench.write_source(root / "file.bin", bench.file_size)
        peers = available(
            {"curl": ("curl", trusting_curl(ca)), "aria2": ("aria2c", trusting_aria2(ca))},
            bench.say,
        )
        with nginx(Site(root, is_tls=True), served) as url:
            async with running_product(home, ca_bundle=str(ca)) as product:
                download = Download(url + "file.bin", bench.file_size, target)
                runs = timed_all(bench, {OURS: product.fetch, **durably(peers)}, download)
                medians = await interleave(runs, bench.rounds, bench.say)
    return [compare(NAME, "MB/s", medians, "MB/s", more_is_better=True)]
