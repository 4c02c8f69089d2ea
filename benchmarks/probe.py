"""A client in a process of its own that asks a server for one path, over and over.

``python -m benchmarks.probe URL``: until its standard input ends; then it prints each answer's
time in ms as a JSON list. On its own, so that nothing else the harness does delays it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


@asynccontextmanager
async def probing(url: str) -> AsyncIterator[list[float]]:
    """Ask for ``url`` while the block runs; afterwards the list holds the times in ms."""
    times: list[float] = []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.probe", url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield times
    finally:
        output, _ = await process.communicate(b"")  # which ends its input
    if process.returncode:
        raise RuntimeError("the probe failed")
    times += json.loads(output)


def main(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    times = []
    while not select.select([sys.stdin], [], [], 0)[0]:
        begun = time.perf_counter()
        connection.request("GET", parts.path)
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - begun) * 1e3)
        if response.status != 200:
            sys.exit(f"the server answered {response.status}")
    connection.close()
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
