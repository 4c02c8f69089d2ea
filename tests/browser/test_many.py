"""Sessions of more tasks than a page knows at once, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

MANY = 3000
"""Six times what a snapshot holds."""


@pytest.fixture
def panel(
    page: Page, lab: Any, lab_transfers: Any, files: Any, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """Open, with a session "many" of so many paused tasks."""
    lab_transfers.attach("many")
    url = files.address("many.bin", size=1000)
    tasks = [
        {
            "request": {"url": f"{url}?{number}"},
            "destination": f"{lab.root}/many/part-{number:04}.bin",
            "resume": False,
        }
        for number in range(1, request.param + 1)
    ]
    lab.rest("POST", "/bgdl/sessions/many/tasks", {"tasks": tasks})
    page.goto(lab.address("lab?reset"))
    expect(page.locator(".jp-Launcher")).to_be_visible()
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]').click()
    yield page.locator("#jupyter-bgdl-panel")
    lab.rest("DELETE", "/bgdl/sessions/many")


@pytest.mark.parametrize("panel", [MANY], indirect=True)
def test_all_of_them_are_scrolled_to_and_only_those_in_sight_exist(panel: Any) -> None:
    rows = panel.locator(".jp-bgdl-Task")
    first = panel.get_by_role("treeitem", name="part-0001.bin")
    expect(first).to_be_visible()
    expect(first).to_have_attribute("aria-setsize", str(MANY))
    panel.locator(".jp-bgdl-Panel-scroll").evaluate(
        """(scroller, last) => new Promise(done => {
          const scroll = () => {
            scroller.scrollTop = scroller.scrollHeight;
            const seen = scroller.querySelector(`[data-task="${last}"]`);
            seen ? done() : requestAnimationFrame(scroll);
          };
          scroll();
        })""",
        MANY,
    )
    last = panel.get_by_role("treeitem", name=f"part-{MANY}.bin")
    expect(last).to_be_visible()
    expect(last).to_have_attribute("aria-posinset", str(MANY))
    expect(first).to_have_count(0)
    assert rows.count() < 100
    head = panel.get_by_role("treeitem", name="many", exact=True)
    last.press("Home")
    expect(head).to_be_focused()
    head.press("ArrowDown")
    expect(first).to_be_focused()
    first.press("End")
    expect(last).to_be_focused()
    last.press("Enter")
    expect(last.locator(".jp-bgdl-Details")).to_be_visible()
    last.press("Home")
    expect(last).to_have_count(0)
    expect(head).to_be_focused()
    head.press("End")
    expect(last).to_have_attribute("aria-expanded", "true")
    panel.get_by_role("button", name="Filter").click()
    panel.get_by_label("Sort").select_option("Newest first")
    expect(last).to_have_attribute("aria-posinset", "1")
    panel.get_by_label("Sort").select_option("By name")
    expect(first).to_have_attribute("aria-posinset", "1")


@pytest.mark.parametrize("panel", [12], indirect=True)
def test_several_are_selected_and_cancelled_together(panel: Any, lab: Any, shots: Path) -> None:
    row = panel.locator('[data-session="many"] .jp-bgdl-Task')
    row.nth(1).click(modifiers=["ControlOrMeta"])
    row.nth(4).click(modifiers=["Shift"])
    row.nth(0).press("Control+Space")
    bar = panel.get_by_role("toolbar", name="Selected tasks")
    expect(bar).to_contain_text("5 selected")
    expect(row.nth(3)).to_have_attribute("aria-selected", "true")
    expect(row.nth(5)).to_have_attribute("aria-selected", "false")
    panel.screenshot(path=shots / "real-selected.png")
    bar.get_by_text("Cancel").click()
    expect(row.first).to_have_attribute("aria-label", "part-0006.bin")
    counts = lab.rest("GET", "/bgdl/sessions/many")["counts"]
    assert counts["cancelled"] == 5
    bar.get_by_role("button", name="Clear selection").click()
    expect(bar).to_have_count(0)
