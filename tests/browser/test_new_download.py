"""Downloads that a person orders in the page, without any notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.axe import serious_faults

MB = 1_000_000


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"], ids=["light", "dark"])
def theme(request: pytest.FixtureRequest, lab: Any) -> str:
    lab.set_theme(request.param)
    return str(request.param).rsplit(" ", 1)[1].lower()


def test_what_was_typed_stays_until_it_is_taken(
    page: Page, lab: Any, files: Any, theme: str, shots: Path, complaints: list[str]
) -> None:
    page.goto(lab.address("lab?reset"))
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]').click()
    panel = page.locator("#jupyter-bgdl-panel")
    panel.get_by_role("button", name="New download…").first.click()
    dialog = page.locator(".jp-Dialog")
    addresses = dialog.get_by_label("Addresses, one a line")
    expect(addresses).to_be_focused()
    good = files.address(f"one-{theme}.bin", size=MB), files.address(f"two-{theme}.bin", size=MB)
    page.keyboard.type(good[0])
    page.keyboard.press("Enter")
    page.keyboard.type("two.bin")
    expect(dialog.get_by_label("Checksum")).to_be_disabled()
    dialog.get_by_label("Save in").fill("ordered")
    dialog.get_by_role("button", name="Download").click()
    expect(dialog.get_by_role("alert")).to_have_text("Line 2 is no http or https address.")
    expect(addresses).to_have_value(f"{good[0]}\ntwo.bin")
    page.screenshot(path=shots / f"new-download-{theme}.png")
    assert serious_faults(page, ".jp-Dialog-content") == []

    # Only the server knows that this one is refused.
    addresses.fill("https:///none")
    dialog.get_by_role("button", name="Download").click()
    expect(dialog.get_by_role("alert")).not_to_have_text("Line 2 is no http or https address.")
    [refused] = complaints
    assert "400" in refused
    complaints.clear()
    addresses.fill("\n".join(good))
    dialog.get_by_role("button", name="Download").click()
    expect(dialog).to_have_count(0)
    for name in (f"one-{theme}.bin", f"two-{theme}.bin"):
        row = panel.get_by_role("treeitem", name=name, exact=True)
        expect(row).to_have_attribute("data-look", "done")
        assert (lab.root / "ordered" / name).stat().st_size == MB
    expect(panel.locator(".jp-bgdl-Band")).to_have_count(0)


def test_a_folder_of_the_file_browser_is_filled_in(page: Page, jupyter: Any) -> None:
    (jupyter.root / "inbox").mkdir()
    page.goto(jupyter.address("lab?reset" if jupyter.app == "lab" else "tree"))
    page.locator(".jp-DirListing-item", has_text="inbox").click(button="right")
    page.locator(".lm-Menu-item", has_text="Download here in the background…").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog.get_by_label("Save in")).to_have_value("inbox")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
