"""The panel on a real server with real transfers; who attached is played by REST."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect

MB = 1_000_000
BACKGROUND = """hidden => {
  Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
"""What a page finds when another tab is in front: without a screen, Chromium hides none."""


@pytest.fixture
def panel(page: Page, jupyter: Any) -> Any:
    """The open panel."""
    page.goto(jupyter.address("lab?reset" if jupyter.app == "lab" else "tree"))
    open_panel(page, jupyter)
    return page.locator("#jupyter-bgdl-panel")


def open_panel(page: Page, jupyter: Any) -> None:
    """By its tab in JupyterLab, by the command palette in Notebook 7."""
    if jupyter.app == "lab":
        page.locator('.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]').click()
    else:
        expect(page.locator("#jp-MainMenu, .jp-NotebookShell").first).to_be_visible()
        page.locator("body").press("Control+Shift+C")
        palette = page.locator("#command-palette input, .lm-CommandPalette-input").first
        palette.fill("Background downloads")
        page.locator('.lm-CommandPalette-item[data-command="jupyter-bgdl:open"]').first.click()
    expect(page.locator("#jupyter-bgdl-panel")).to_be_visible()


def row(panel: Any, name: str) -> Any:
    """The row of the task with that name."""
    return panel.get_by_role("treeitem", name=name, exact=True)


def press(panel: Any, name: str, action: str) -> None:
    row(panel, name).hover()
    row(panel, name).get_by_label(action, exact=True).click()


def test_a_session_is_shown_with_who_listens_and_how_far_it_is(
    panel: Any, jupyter: Any, transfers: Any, files: Any, shots: Path
) -> None:
    transfers.attach("shown")
    transfers.submit("shown", files.address("slow.bin", size=40 * MB, rate=2 * MB))
    group = panel.locator('[data-session="shown"]')
    expect(group.get_by_text("analysis.ipynb listens")).to_be_visible()
    expect(group.get_by_text("0 of 1 done")).to_be_visible()
    bar = row(panel, "slow.bin").get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"[1-9]\d?\.\d of 40\.0\sMB"))
    expect(row(panel, "slow.bin")).to_contain_text("left", timeout=15_000)
    panel.page.screenshot(path=shots / f"real-panel-{jupyter.app}.png")
    files.hurry.set()
    expect(row(panel, "slow.bin")).to_have_attribute("data-look", "done")
    expect(group.get_by_text("1 of 1 done")).to_be_visible()


def test_pause_resume_and_cancel_do_what_they_say(
    panel: Any, jupyter: Any, transfers: Any, files: Any
) -> None:
    transfers.attach("paused")
    [number] = transfers.submit("paused", files.address("p.bin", size=40 * MB, rate=MB))
    expect(row(panel, "p.bin")).to_have_attribute("data-look", "running")
    press(panel, "p.bin", "Pause")
    expect(row(panel, "p.bin")).to_contain_text("Paused")
    assert transfers.task("paused", number)["state"] == "suspended"
    press(panel, "p.bin", "Resume")
    expect(row(panel, "p.bin")).to_have_attribute("data-look", "running")
    # Each press focuses the row first: a page that still loads may take the focus elsewhere.
    row(panel, "p.bin").press("Space")
    expect(row(panel, "p.bin")).to_contain_text("Paused")
    row(panel, "p.bin").press("Delete")
    expect(row(panel, "p.bin")).to_have_attribute("data-look", "cancelled")
    assert transfers.task("paused", number)["error"]["code"] == "cancelled"
    assert list((jupyter.root / "data").glob("*p.bin*")) == []


def test_what_waits_explains_itself_on_demand(
    panel: Any, jupyter: Any, transfers: Any, files: Any, shots: Path
) -> None:
    transfers.attach("waits")
    later = time.time() + 3 * 3600
    transfers.submit("waits", files.address("w.bin", size=MB), earliest_begin_date=later)
    task = row(panel, "w.bin")
    task.click()
    why = task.locator(".jp-bgdl-Why")
    expect(why).to_contain_text("Since ")
    expect(why).to_contain_text("until ")
    told = jupyter.rest("GET", "/bgdl/sessions/waits/tasks/1/explain")
    expect(why).to_contain_text(told["why"])
    for text in told["help"]:
        expect(why).to_contain_text(text)
    panel.page.screenshot(path=shots / f"real-panel-why-{jupyter.app}.png")


def test_a_failed_task_says_why_and_is_retried_then_removed(
    panel: Any, transfers: Any, files: Any
) -> None:
    files.status["f.bin"] = 404
    transfers.attach("failed")
    transfers.submit("failed", files.address("f.bin", size=MB))
    expect(row(panel, "f.bin")).to_have_attribute("data-look", "failed")
    assert row(panel, "f.bin").locator(".jp-bgdl-Meta-why").inner_text().strip()
    del files.status["f.bin"]
    row(panel, "f.bin").get_by_text("Retry", exact=True).click()
    expect(row(panel, "f.bin")).to_have_attribute("data-look", "done")
    row(panel, "f.bin").click(button="right")
    panel.page.locator(".jp-bgdl-Menu").get_by_text("Remove from list").click()
    expect(row(panel, "f.bin")).to_have_count(0)
    assert transfers.jupyter.rest("GET", "/bgdl/sessions/failed/tasks")["tasks"] == []


def test_a_finished_file_is_revealed_in_the_file_browser(
    panel: Any, jupyter: Any, transfers: Any, files: Any
) -> None:
    transfers.attach("revealed")
    transfers.submit("revealed", files.address("r.bin", size=MB))
    expect(row(panel, "r.bin")).to_have_attribute("data-look", "done")
    press(panel, "r.bin", "Reveal in file browser")
    item = panel.page.locator(".jp-DirListing-item.jp-mod-selected")
    expect(item).to_contain_text("r.bin")
    assert (jupyter.root / "data" / "r.bin").stat().st_size == MB


def test_T16_hostile_names_are_text(
    panel: Any, jupyter: Any, transfers: Any, files: Any, page: Page
) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    session = "<img src=x onerror=alert(1)>"
    name = "<img src=x onerror=alert(2)>.csv"
    backwards = "invoice\u202evsc.exe"
    transfers.attach(session, notebook="<b onmouseover=alert(3)>.ipynb")
    for each in (name, backwards):
        # A suggested name would be made harmless by the engine; a destination is kept as it is.
        place = f"{jupyter.root}/data/{each}"
        transfers.submit(session, files.address(each, size=MB, rate=MB // 4), destination=place)
    group = panel.locator(".jp-bgdl-Group", has_text="onerror=alert(1)")
    expect(group.locator(".jp-bgdl-Task")).to_have_count(2)
    group.locator(".jp-bgdl-Task").first.click()
    expect(group.locator(".jp-bgdl-Details")).to_be_visible()
    expect(group.get_by_text("onerror=alert(2)").first).to_be_visible()
    assert group.locator("img, b, a, script").count() == 0
    assert "<b onmouseover" in group.inner_text()


def test_another_tab_is_told_the_same(
    panel: Any, jupyter: Any, transfers: Any, files: Any, page: Page
) -> None:
    transfers.attach("twice")
    transfers.submit("twice", files.address("t.bin", size=40 * MB, rate=MB))
    other = page.context.new_page()
    other.goto(jupyter.address("lab?reset" if jupyter.app == "lab" else "tree"))
    open_panel(other, jupyter)
    press(panel, "t.bin", "Pause")
    expect(row(other.locator("#jupyter-bgdl-panel"), "t.bin")).to_contain_text("Paused")
    other.close()


def test_the_panel_survives_a_stop_of_the_server(
    panel: Any, jupyter: Any, transfers: Any, files: Any
) -> None:
    transfers.attach("survives")
    transfers.submit("survives", files.address("s.bin", size=60 * MB, rate=MB))
    expect(row(panel, "s.bin")).to_have_attribute("data-look", "running")
    jupyter.stop()
    expect(panel.get_by_text("the downloads may be going on")).to_be_visible()
    expect(row(panel, "s.bin")).not_to_contain_text("MB/s")
    jupyter.start()
    expect(panel.get_by_text("Not connected")).to_have_count(0, timeout=60_000)
    expect(row(panel, "s.bin")).to_have_attribute("data-look", "running", timeout=30_000)
    before = row(panel, "s.bin").locator(".jp-bgdl-Meta-amount").inner_text()
    expect(row(panel, "s.bin").locator(".jp-bgdl-Meta-amount")).not_to_have_text(before)


def test_a_page_has_one_socket_and_is_told_of_tasks_only_while_somebody_looks(
    page: Page, jupyter: Any, transfers: Any, files: Any
) -> None:
    sockets: list[WebSocket] = []
    told: list[Any] = []

    def note(socket: WebSocket) -> None:
        if "/bgdl/" in socket.url:
            sockets.append(socket)
            socket.on("framereceived", lambda text: told.append(json.loads(text)))

    page.on("websocket", note)
    page.goto(jupyter.address("lab?reset" if jupyter.app == "lab" else "tree"))
    expect(page.locator("#jp-main-dock-panel, .jp-TreePanel").first).to_be_visible()
    transfers.attach("looked-at")
    transfers.submit("looked-at", files.address("l.bin", size=40 * MB, rate=MB))
    open_panel(page, jupyter)
    expect(row(page.locator("#jupyter-bgdl-panel"), "l.bin")).to_be_visible()
    [ours] = sockets
    assert jupyter.token not in ours.url
    [first, second] = [message for message in told if message["type"] == "snapshot"]
    assert first["tasks"] is None
    before = told[: told.index(second)]
    tasks = [task for message in [*before, second] for task in message.get("tasks") or []]
    assert [task["name"] for task in tasks if task["session"] == "looked-at"] == ["l.bin"]

    # Another tab in front: bytes move on, and of those this page is told the sum.
    with ours.expect_event("framesent", lambda text: '"unwatch"' in text):
        page.evaluate(BACKGROUND, True)
    for _ in range(2):  # one may have been on its way
        with ours.expect_event("framereceived", lambda text: '"state"' in text) as heard:
            pass
    assert json.loads(heard.value)["tasks"] == []
    expect(row(page.locator("#jupyter-bgdl-panel"), "l.bin")).to_be_visible()
    with ours.expect_event("framereceived", lambda text: '"snapshot"' in text):
        page.evaluate(BACKGROUND, False)
