"""``page-…``: what 1,000 running tasks cost a page of JupyterLab, each against our own ``limit``.

The panel is open and the channel as busy as a server makes it. What the renderers of Chromium use
is counted; an empty JupyterLab is the same page before.

    page-cpu      % of a core, with all that JupyterLab does by itself
    page-memory   MB above the empty JupyterLab
    page-hidden   % of a core, while the tab is hidden
"""

from __future__ import annotations

import asyncio
import json
import time

from benchmarks.bar_latency import BAR_STEP
from benchmarks.bench import DISK, Bench
from benchmarks.browser import PANEL, LabPage, lab_page
from benchmarks.busy_channel import SIZE, BusyChannel, busy_channel
from benchmarks.figure import Figure
from demo.jupyter import running_server

NAMES = ("page-cpu", "page-memory", "page-hidden")
LIMITS = dict(zip(NAMES, (20.0, 150.0, 2.0), strict=True))
UNITS = dict(zip(NAMES, ("%", "MB", "%"), strict=True))
TASKS = 1000
SETTLE = 5.0
"""Seconds until a page has done what it does once."""
SPELL = 3.0
"""Seconds that the CPU is measured for, for each round that the other figures get."""

_DIVERT = """{
  const WebSocket = window.WebSocket;
  window.WebSocket = class extends WebSocket {
    constructor(url, ...rest) {
      super(String(url).includes('/bgdl/channel') ? %s : url, ...rest);
    }
  };
}"""
"""The page's channel is the busy one; all else is the server's own."""


async def share(page: LabPage, seconds: float) -> float:
    """Percent of a core."""
    await asyncio.sleep(SETTLE)
    used, begun = await page.cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    return 100 * (await page.cpu() - used) / (time.monotonic() - begun)


async def verify(page: LabPage, channel: BusyChannel) -> None:
    """All tasks are there, and the first one's bytes are those that were sent just now."""
    row = page.page.locator(f"{PANEL} .jp-bgdl-Task").first
    if await row.get_attribute("aria-setsize") != str(channel.count):
        raise RuntimeError("the page does not show all tasks")
    before = channel.received()
    await asyncio.sleep(2)
    width = await row.locator(".jp-bgdl-Bar i").evaluate("bar => parseFloat(bar.style.width)")
    if not before <= (width + BAR_STEP) / 100 * SIZE <= channel.received() + BAR_STEP / 100 * SIZE:
        raise RuntimeError("the bar is not where the bytes are")


async def measure(bench: Bench) -> list[Figure]:
    values = {}
    seconds = bench.rounds * SPELL
    with bench.folder(DISK) as home, busy_channel(TASKS) as channel:
        script = _DIVERT % json.dumps(channel.url)
        async with running_server(home) as server, lab_page(server, script) as page:
            idle = await share(page, seconds)
            empty = await page.memory()
            await page.toggle_panel()
            await page.page.wait_for_selector(f"{PANEL} .jp-bgdl-Task")
            values["page-cpu"] = await share(page, seconds)
            await verify(page, channel)
            values["page-memory"] = await page.memory() - empty
            sent = channel.sent
            await page.hide()
            values["page-hidden"] = await share(page, seconds)
            if channel.sent == sent:
                raise RuntimeError("nothing was sent to the hidden page")
    bench.say(f"  JupyterLab with the panel closed: {idle:.1f} %, {empty:.0f} MB")
    return [
        Figure(name, UNITS[name], values[name], {"limit": LIMITS[name]}, more_is_better=False)
        for name in NAMES
    ]
