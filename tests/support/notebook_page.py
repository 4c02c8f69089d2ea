"""A notebook in the browser, as a person uses it: JupyterLab or Notebook 7."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect


def open_notebook(page: Page, jupyter: Any, name: str) -> None:
    page.goto(jupyter.notebook_address(name))
    expect(page.locator(".jp-NotebookPanel:visible .jp-Cell").first).to_be_visible()
    jupyter.wait_for_kernel(name)
    expect_kernel(page, "idle")


def expect_kernel(page: Page, status: str) -> None:
    indicator = page.locator(".jp-Notebook-ExecutionIndicator:visible")
    expect(indicator).to_have_attribute("data-status", status, timeout=30_000)


def run(page: Page, index: int) -> None:
    page.locator(".jp-NotebookPanel:visible .jp-Cell .jp-InputArea-editor").nth(index).click()
    page.keyboard.press("Shift+Enter")
    cell = page.locator(".jp-NotebookPanel:visible .jp-Cell").nth(index)
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[ ]:")


def view(page: Page) -> Any:
    return page.locator(".jp-NotebookPanel:visible .jp-bgdl-View").first


def save(page: Page) -> None:
    with page.expect_response(
        lambda answer: "/api/contents/" in answer.url and answer.request.method == "PUT"
    ):
        page.keyboard.press("Escape")
        page.keyboard.press("Control+s")


def restart_from_the_menu(page: Page) -> None:
    page.locator(".lm-MenuBar-item", has_text="Kernel").first.click()
    page.locator(".lm-Menu-item", has_text=re.compile(r"^Restart Kernel…")).click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect_kernel(page, "idle")
