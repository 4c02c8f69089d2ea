"""``bar-latency-p95``: from the moment that a server writes bytes until the bar shows them, in ms.

The whole way: a file server on loopback, the worker, the Jupyter server, the channel, and the
panel in a Chromium. The file comes in pieces at times that nobody can foresee; the page notes at
each animation frame how far the bar is. The peer is the limit that we set ourselves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.bench import DISK, MIB, Bench
from benchmarks.browser import PANEL, LabPage, lab_page
from benchmarks.figure import Figure, percentile
from benchmarks.product import Product, running_product
from demo.fileserver import Content

NAME = "bar-latency-p95"
LIMIT = 300.0
PIECES = 30
"""For each round that the other figures get."""
PIECE = MIB // 8
_PAUSE = (0.05, 0.6)
"""Seconds between two pieces."""

BAR_STEP = 0.1
"""Percent: a bar is drawn in steps that can be seen."""

_NOTE = """() => {
  window.seen = [];
  let last = null;
  const look = () => {
    const bar = document.querySelector('#jupyter-bgdl-panel .jp-bgdl-Task .jp-bgdl-Bar i');
    if (bar && bar.style.width !== last) {
      last = bar.style.width;
      window.seen.push([Date.now() / 1000, parseFloat(last)]);
    }
    requestAnimationFrame(look);
  };
  look();
}"""


class Pieces:
    """Sends one file in pieces, once :attr:`begin` is set, and notes when each was written."""

    def __init__(self, count: int) -> None:
        self.content = Content(count * PIECE)
        self.count = count
        self.begin = asyncio.Event()
        self.written: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.content.size)
        await self.begin.wait()
        for start in range(0, self.content.size, PIECE):
            await asyncio.sleep(random.uniform(*_PAUSE))
            self.written.append(time.time())
            writer.write(self.content.read(start, start + PIECE))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def pieces_server(count: int) -> AsyncIterator[tuple[Pieces, str]]:
    pieces = Pieces(count)
    server = await asyncio.start_server(pieces.serve, "127.0.0.1", 0)
    async with server:
        yield pieces, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/pieces.bin"


async def watched(product: Product, page: LabPage, pieces: Pieces, job: tuple[str, Path]) -> Any:
    """Download the file beside the open panel; what the page saw: times and percents."""
    await page.toggle_panel()
    await page.page.wait_for_selector(PANEL)
    fetching = asyncio.create_task(product.fetch(*job))
    await page.page.wait_for_selector(f"{PANEL} .jp-bgdl-Task .jp-bgdl-Bar")
    await page.page.evaluate(_NOTE)
    pieces.begin.set()
    await fetching
    await page.page.wait_for_selector(f'{PANEL} .jp-bgdl-Task[data-look="done"]')
    return msgspec.convert(await page.page.evaluate("window.seen"), list[tuple[float, float]])


def latencies(written: list[float], seen: list[tuple[float, float]]) -> list[float]:
    """For each piece, in ms, but those that came with the last, when the bar goes."""
    times = []
    for number, when in enumerate(written, 1):
        if when > written[-1] - LIMIT / 1e3:
            break
        wanted = 100 * number / len(written) - BAR_STEP
        shown = next((moment for moment, percent in seen if percent >= wanted), None)
        if shown is None:
            raise RuntimeError(f"the bar never showed piece {number}")
        times.append((shown - when) * 1e3)
    return times


async def measure(bench: Bench) -> list[Figure]:
    with bench.folder(DISK) as home:
        target = home / "root" / "pieces.bin"
        async with (
            pieces_server(bench.rounds * PIECES) as (pieces, url),
            running_product(home) as product,
            lab_page(product.server) as page,
        ):
            seen = await watched(product, page, pieces, (url, target))
        if target.read_bytes() != pieces.content.read(0, pieces.content.size):
            raise RuntimeError(f"{target} has other bytes than were served")
    times = latencies(pieces.written, seen)
    bench.say(f"  p50 {percentile(times, 0.5):.0f}, at the most {max(times):.0f} ms")
    return [
        Figure(NAME, "ms", percentile(times, 0.95), {"limit": LIMIT}, more_is_better=False),
    ]
