"""The story of the README's picture: start, kill the kernel, reload, and hear of it once.

``make strip`` runs this and puts the picture where the README shows it.
"""

from __future__ import annotations

import base64
import os
import re
import signal
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from support.notebook_page import open_notebook, run, save, view

MB = 1_000_000
SIZE = 240 * MB
RATE = 2 * MB
NAME = "era5_2024.nc"

CELL = """\
import jupyter_bgdl as bgdl, os
from catalogue import url
session = bgdl.background_session("era5")
print("This is kernel", os.getpid())

@session.on_finish
def finished(task, path):
    print("Kernel", os.getpid(), "was told of", path.name)

session.download(url, to="data/")
session"""

CAPTIONS = (
    "A cell names a session and starts a download.",
    "The kernel is killed. The download goes on.",
    "The page is reloaded: the view is live, with no cell run.",
    "The cell is run in the new kernel: the callback comes, once.",
)

STRIP = """
<style>
  body {{ margin: 0; background: #fff; font: 500 15px/1.3 system-ui, sans-serif; color: #24292f }}
  main {{ display: grid; grid-template-columns: 1fr 1fr; gap: 18px; width: 1180px; padding: 12px }}
  figure {{ margin: 0 }}
  figcaption {{ margin-bottom: 6px }}
  img {{ width: 100%; border: 1px solid #d0d7de; border-radius: 6px; display: block }}
</style>
<main>{figures}</main>
"""


def test_start_kill_the_kernel_reload_callback(
    page: Page, lab: Any, files: Any, shots: Path
) -> None:
    frames: list[bytes] = []

    def frame() -> None:
        """The notebook without what is around it."""
        page.mouse.move(0, 0)
        box = page.locator(".jp-NotebookPanel-notebook:visible").bounding_box()
        assert box is not None
        frames.append(page.screenshot(clip={**box, "height": 510.0}))

    def until(amount: float) -> None:
        page.wait_for_function(
            "([selector, amount]) =>"
            " parseFloat(document.querySelector(selector)?.innerText) >= amount",
            arg=[".jp-NotebookPanel .jp-bgdl-ViewHead-amount", amount],
        )

    def open_the_notebook() -> None:
        page.set_viewport_size({"width": 1280, "height": 900})
        open_notebook(page, lab, "story.ipynb")
        page.keyboard.press("Control+b")
        expect(page.locator("#jp-left-stack")).to_be_hidden()
        # So high that the dialog of a kernel that died covers nothing.
        page.set_viewport_size({"width": 800, "height": 1110})

    url = files.address(NAME, size=SIZE, rate=RATE)
    (lab.root / "catalogue.py").write_text(f"url = {url!r}\n")
    lab.write_notebook("story.ipynb", CELL)
    open_the_notebook()
    run(page, 0)
    until(15)
    frame()

    save(page)
    said = page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output", has_text="This is")
    os.kill(int(said.inner_text().split()[-1]), signal.SIGKILL)
    dialog = page.locator(".jp-Dialog", has_text="appears to have died")
    expect(dialog).to_be_visible(timeout=30_000)
    until(30)
    frame()

    open_the_notebook()
    until(50)
    frame()

    files.hurry.set()
    run(page, 0)
    told = page.locator(".jp-NotebookPanel:visible .jp-OutputArea").get_by_text("was told of")
    expect(told).to_have_count(1)
    expect(view(page).get_by_text(re.compile("^finished "))).to_be_visible()
    frame()
    assert (lab.root / "data" / NAME).stat().st_size == SIZE

    _draw(page, frames, shots / "story.png")


def _draw(page: Page, frames: list[bytes], path: Path) -> None:
    figures = "".join(
        f"<figure><figcaption>{number}. {caption}</figcaption>"
        f'<img src="data:image/png;base64,{base64.b64encode(frame).decode()}"></figure>'
        for number, (caption, frame) in enumerate(zip(CAPTIONS, frames, strict=True), 1)
    )
    page.goto("about:blank")
    page.set_content(STRIP.format(figures=figures))
    page.locator("main").screenshot(path=path)
