"""The path of a file that arrived, written where a person writes code."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

SESSION = "inserted"


def test_a_path_is_inserted_at_the_cursor_by_the_menu_and_dragged_into_a_cell(
    page: Page, lab: Any, lab_transfers: Any, files: Any
) -> None:
    (lab.root / "work").mkdir()
    lab.write_notebook("work/insert.ipynb", "frame = read()\n", "")
    lab_transfers.attach(SESSION)
    url = files.address("in.bin", size=1000)
    lab_transfers.submit(SESSION, url, destination=f"{lab.root}/work/data/it's.bin")
    page.goto(lab.notebook_address("work/insert.ipynb"))
    first, second = (page.locator(".jp-CodeCell .cm-content").nth(i) for i in (0, 1))
    expect(second).to_be_visible()
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]').click()
    row = page.locator("#jupyter-bgdl-panel").get_by_role("treeitem", name="it's.bin")
    expect(row).to_have_attribute("data-look", "done")

    first.click()
    page.keyboard.press("Home")
    page.keyboard.press("Control+ArrowRight")
    row.click(button="right")
    page.locator(".jp-bgdl-Menu").get_by_text("Insert path at cursor").click()
    expect(first).to_contain_text('"data/it\'s.bin"')

    row.drag_to(second)
    expect(second).to_have_text('"data/it\'s.bin"')
