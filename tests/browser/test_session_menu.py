"""What a person does with a whole session, and with the disk, in the panel of a real server."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

MB = 1_000_000
SESSION = "menu"


def open_panel(page: Page, lab: Any) -> Any:
    page.goto(lab.address("lab?reset"))
    # Opened last, it takes the focus from what a test presses keys on.
    expect(page.locator(".jp-Launcher")).to_be_visible()
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]').click()
    return page.locator("#jupyter-bgdl-panel")


def choose(page: Page, panel: Any, entry: str) -> None:
    panel.get_by_role("treeitem", name=SESSION, exact=True).press("Shift+F10")
    page.locator(".jp-bgdl-Menu .lm-Menu-item", has_text=entry).click()


def test_a_session_is_paused_and_its_launch_cell_shown_disabled_and_run(
    page: Page, lab: Any, lab_transfers: Any, files: Any, shots: Path
) -> None:
    lab.write_notebook("menu.ipynb", "1")
    started = {"path": "menu.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    kernel = lab.rest("POST", "/api/sessions", started)["kernel"]["id"]
    source = "open('menu.ran', 'w').close()  # <b>not bold</b>"
    lab.rest("POST", f"/bgdl/sessions/{SESSION}/launch", {"kernel_id": kernel, "source": source})
    url = files.address("menu.bin", size=90 * MB, rate=MB)
    lab_transfers.submit(SESSION, url, unattended=True)
    panel = open_panel(page, lab)
    row = panel.get_by_role("treeitem", name="menu.bin", exact=True)
    expect(row).to_have_attribute("data-look", "running")
    expect(panel.get_by_text(re.compile(r"\d+\.\d.MB to come, .* free"))).to_be_visible()

    choose(page, panel, "Pause all")
    expect(row).to_have_attribute("data-look", "paused")
    choose(page, panel, "Resume all")
    expect(row).to_have_attribute("data-look", "running")

    choose(page, panel, "Launch cell…")
    dialog = page.locator(".jp-Dialog")
    expect(dialog.locator("pre")).to_have_text(source)
    expect(dialog.get_by_text("It has not been launched yet.")).to_be_visible()
    page.screenshot(path=shots / "real-launch-cell.png")
    dialog.get_by_role("button", name="Disable").click()
    choose(page, panel, "Launch by itself")
    choose(page, panel, "Run launch cell")
    deadline = time.monotonic() + 60
    while not (lab.root / "menu.ran").exists():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)  # of another process only asking tells

    panel.get_by_role("button", name="Pause all").click()
    expect(row).to_have_attribute("data-look", "paused")
    expect(panel.get_by_role("button", name="Pause all")).to_have_count(0)
    panel.get_by_role("button", name="Resume all").click()
    expect(row).to_have_attribute("data-look", "running")


def test_what_is_over_is_cleaned_up_once_a_person_said_so(
    page: Page, lab: Any, lab_transfers: Any, files: Any, shots: Path
) -> None:
    lab.rest("DELETE", f"/bgdl/sessions/{SESSION}")
    lab_transfers.submit(SESSION, files.address("over.bin", size=MB), unattended=True)
    panel = open_panel(page, lab)
    row = panel.get_by_role("treeitem", name="over.bin", exact=True)
    expect(row).to_have_attribute("data-look", "done")
    panel.get_by_role("button", name="Clean up…").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("1 task that is over")
    page.screenshot(path=shots / "real-clean-up.png")
    dialog.get_by_role("button", name="Keep").click()
    expect(row).to_be_visible()
    panel.get_by_role("button", name="Clean up…").click()
    dialog.get_by_role("button", name="Clean up").click()
    expect(row).to_have_count(0)
    expect(panel.get_by_role("button", name="Clean up…")).to_have_count(0)
    assert (lab.root / "data" / "over.bin").stat().st_size == MB
