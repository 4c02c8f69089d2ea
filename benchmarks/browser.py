"""A page of JupyterLab in a real Chromium, as a person has it open."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, CDPSession, Page, async_playwright

from demo.jupyter import JupyterServer

PANEL = "#jupyter-bgdl-panel"
_TAB = '.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]'
_HIDE = """() => {
  Object.defineProperty(document, 'hidden', { get: () => true });
  Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
  window.requestAnimationFrame = () => 0;
  document.dispatchEvent(new Event('visibilitychange'));
}"""
"""What a page finds when it is hidden; no frame is drawn then."""


def find_chromium() -> str:
    """Its path; raises :class:`RuntimeError` where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        raise RuntimeError("chromium is needed to draw the page; `make system` installs it")
    return path


class LabPage:
    """JupyterLab in a tab; use :func:`lab_page`."""

    def __init__(self, page: Page, browser: Browser, cdp: CDPSession) -> None:
        self.page = page
        self._browser = browser
        self._cdp = cdp

    async def toggle_panel(self) -> None:
        await self.page.click(_TAB)

    async def hide(self) -> None:
        """Let the page believe that another tab is in front: without a screen, Chromium hides
        none. Its timers go on as they were, which costs more than in a tab that is hidden."""
        await self.page.evaluate(_HIDE)

    async def cpu(self) -> float:
        """Seconds of a core that the browser's renderers have used until now."""
        return sum([_cpu(pid) for pid in await self._renderers()])

    async def memory(self) -> float:
        """MB that the renderers hold, after what nobody uses was collected."""
        await self._cdp.send("HeapProfiler.collectGarbage")
        return sum([_resident(pid) for pid in await self._renderers()])

    async def _renderers(self) -> list[int]:
        cdp = await self._browser.new_browser_cdp_session()
        processes = (await cdp.send("SystemInfo.getProcessInfo"))["processInfo"]
        await cdp.detach()
        return [process["id"] for process in processes if process["type"] == "renderer"]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the renderer has ended")


@asynccontextmanager
async def lab_page(server: JupyterServer, script: str | None = None) -> AsyncIterator[LabPage]:
    """A window with the server's JupyterLab; ``script`` is run before all of the page's own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            context = await browser.new_context(viewport={"width": 1280, "height": 900})
            if script:
                await context.add_init_script(script)
            page = await context.new_page()
            await page.goto(f"{server.url}lab?reset&token={server.token}")
            await page.wait_for_selector(_TAB)
            yield LabPage(page, browser, await context.new_cdp_session(page))
        finally:
            await browser.close()
