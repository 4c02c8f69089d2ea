"""What is shown of transfers while the panel is closed, on a real server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

MB = 1_000_000
HOSTILE = "<img src=x onerror=alert(1)>.bin"


def open_page(page: Page, jupyter: Any) -> None:
    """With the panel closed."""
    page.goto(jupyter.address("lab?reset" if jupyter.app == "lab" else "tree"))
    expect(page.locator("#jp-main-dock-panel, .jp-TreePanel").first).to_be_visible()


def toast(page: Page, text: str) -> Any:
    return page.locator(".Toastify__toast", has_text=text)


def test_what_failed_and_what_is_done_is_told_with_what_to_do(
    page: Page, jupyter: Any, transfers: Any, files: Any, shots: Path
) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    files.status[HOSTILE] = 404
    open_page(page, jupyter)
    transfers.attach("told")
    place = f"{jupyter.root}/data/{HOSTILE}"
    transfers.submit("told", files.address(HOSTILE, size=MB), destination=place)
    failed = toast(page, f"{HOSTILE}\u2069 failed: ")
    expect(failed).to_be_visible()
    assert failed.locator("img").count() == 0
    failed.click(trial=True)  # It slides in.
    page.screenshot(path=shots / f"around-failed-{jupyter.app}.png")
    del files.status[HOSTILE]
    failed.get_by_role("button", name="Retry").click()
    expect(failed).to_have_count(0)
    done = toast(page, f"{HOSTILE}\u2069 is done")
    expect(done).to_be_visible()
    done.click(trial=True)
    page.screenshot(path=shots / f"around-done-{jupyter.app}.png")
    done.get_by_role("button", name="Reveal").click()
    item = page.locator(".jp-DirListing-item.jp-mod-selected")
    expect(item).to_contain_text("onerror")


def test_what_runs_is_listed_and_paused_there_and_a_shut_down_says_what_pauses(
    page: Page, jupyter: Any, transfers: Any, files: Any, shots: Path
) -> None:
    wanted = {"raw": json.dumps({"notifyProgress": True})}
    jupyter.rest("PUT", "/lab/api/settings/jupyter-bgdl:around", wanted)
    open_page(page, jupyter)
    transfers.attach("listed")
    transfers.submit(
        "listed", *(files.address(f"{n}.bin", size=40 * MB, rate=MB) for n in range(2))
    )
    page.get_by_role("tab", name=re.compile("^Running")).click()
    entry = page.locator(".jp-RunningSessions-item", has_text="listed")
    expect(entry).to_contain_text("0 of 2")
    progress = toast(page, "listed\u2069: 0 of 2 done, ")
    progress.click(trial=True)
    page.screenshot(path=shots / f"around-running-{jupyter.app}.png")
    page.locator(".lm-MenuBar-item", has_text="File").click()
    page.locator('.lm-Menu-item[data-command="filemenu:shutdown"]').click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("2 background transfers pause, and go on when the server is")
    page.screenshot(path=shots / f"around-shutdown-{jupyter.app}.png")
    dialog.get_by_role("button", name="Cancel").click()
    entry.hover()
    entry.get_by_title("Pause", exact=True).click()
    expect(entry).to_have_count(0)
    expect(progress).to_have_count(0)
    counts = jupyter.rest("GET", "/bgdl/sessions/listed")["counts"]
    assert counts["suspended"] == 2


@pytest.mark.parametrize("jupyter", ["notebook"], indirect=True)
def test_an_output_is_live_in_a_page_that_waits_for_a_busy_kernel(
    page: Page, jupyter: Any, transfers: Any, files: Any
) -> None:
    transfers.attach("beside")
    transfers.submit("beside", files.address("beside.bin", size=40 * MB, rate=MB))
    bundle = {"application/vnd.jupyter-bgdl.session+json": {"version": 1, "session": "beside"}}
    output = {"output_type": "display_data", "data": bundle, "metadata": {}}
    jupyter.write_notebook("busy.ipynb", "import time; time.sleep(60)", outputs=[output])
    page.goto(jupyter.notebook_address("busy.ipynb"))
    jupyter.wait_for_kernel("busy.ipynb")
    page.locator(".jp-Notebook .jp-CodeCell").first.click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-InputPrompt").first).to_contain_text("*")
    # Jupyter answers its socket when the kernel does, and Chromium opens one at a time to a host.
    other = page.context.new_page()
    other.goto(jupyter.notebook_address("busy.ipynb"))
    expect(other.locator(".jp-bgdl-View .jp-bgdl-Task")).to_be_visible()
    other.close()


def test_the_status_bar_counts_while_the_panel_is_closed_and_can_be_switched_off(
    page: Page, lab: Any, lab_transfers: Any, files: Any, shots: Path
) -> None:
    transfers = lab_transfers
    lab.set_theme("JupyterLab Dark")
    open_page(page, lab)
    status = page.locator(".jp-bgdl-Status")
    expect(status).to_be_hidden()
    transfers.attach("counted")
    files.status["lost.bin"] = 404
    transfers.submit(
        "counted",
        files.address("moving.bin", size=400 * MB, rate=2 * MB),
        files.address("lost.bin", size=MB),
    )
    expect(status).to_contain_text(re.compile(r"^1 · \d\.\d\sMB/s1$"))
    toast(page, "lost.bin").click(trial=True)
    page.screenshot(path=shots / "around-status-dark.png")
    status.get_by_role("button").click()
    expect(page.locator("#jupyter-bgdl-panel")).to_be_visible()
    expect(toast(page, "lost.bin")).to_have_count(0)  # The panel shows it.
    transfers.jupyter.rest("POST", "/bgdl/sessions/counted/suspend")
    expect(status).to_contain_text("Paused")
    page.keyboard.press("Control+,")
    page.locator(".jp-PluginList").get_by_text("Background downloads").click()
    page.get_by_label("Status bar", exact=True).uncheck()
    expect(status).to_be_hidden()
    page.screenshot(path=shots / "around-settings-dark.png")
