"""What the figures about one file have in common."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figure import Run
from benchmarks.peers import Fetch, seconds_of


@dataclass(frozen=True)
class Download:
    """A file that is served, and where it goes to. ``size`` in bytes."""

    url: str
    size: int
    folder: Path


def timed(bench: Bench, name: str, fetch: Fetch, download: Download) -> Run:
    """Fetch into the folder, verify; the rate in MB/s."""
    numbers = itertools.count()

    async def once() -> Mapping[str, float]:
        # A name of its own each time: the same one would find the task of the last time.
        target = download.folder / f"{name}-{next(numbers)}.bin"
        # What the run before left in the page cache must not be written at this one's expense.
        os.sync()
        seconds = await seconds_of(fetch(download.url, target))
        bench.verify(target, download.size)
        return {"MB/s": download.size / seconds / 1e6}

    return once


def timed_all(bench: Bench, fetches: Mapping[str, Fetch], download: Download) -> dict[str, Run]:
    return {name: timed(bench, name, fetch, download) for name, fetch in fetches.items()}


def smaller(bench: Bench, root: Path, download: Download, size: int) -> Download:
    """The same with a smaller file, which is made in ``root``: for those who are so slow that the
    others would wait for them. Their rate compares all the same."""
    bench.write_source(root / "smaller.bin", size)
    return replace(download, url=download.url.replace("file.bin", "smaller.bin"), size=size)
