"""``kernel-import``: what the first import of the package adds to a kernel's start.

Each run is a fresh interpreter that has imported what a kernel has anyway. The peer is the limit
that we set ourselves.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.figure import OURS, Figure, compare, interleave

NAME = "kernel-import"

LIMIT = 150.0
"""Milliseconds."""

_PROGRAM = """
import ipykernel.kernelapp, ipykernel.ipkernel, ipykernel.zmqshell, time
begun = time.perf_counter()
import jupyter_bgdl
jupyter_bgdl.background_session
print((time.perf_counter() - begun) * 1e3)
"""


async def imported() -> Mapping[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the import failed")
    return {"ms": float(output)}


async def limit() -> Mapping[str, float]:
    return {"ms": LIMIT}


async def measure(bench: Bench) -> list[Figure]:
    medians = await interleave({OURS: imported, "limit": limit}, bench.rounds, bench.say)
    return [compare(NAME, "ms", medians, "ms", more_is_better=False)]
