"""Kernels that are woken, as a person sees it: with the notebook closed, after a restart from the
menu, and where code was run since."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.notebook_page import (
    expect_kernel,
    open_notebook,
    restart_from_the_menu,
    run,
    save,
    view,
)

MB = 1_000_000

CELL = """\
%%background_session {session}
import jupyter_bgdl as bgdl, os, time
session = bgdl.background_session({session!r})

@session.on_finish
def finished(task, path):
    open("{session}.began", "w").close()
    while not os.path.exists("{session}.go"):
        time.sleep(0.1)
    with open("{session}.effect", "a") as effect:
        print(os.getpid(), path.name, file=effect)
    print("has dealt with", path.name)

session.download({url!r}, to="data/")
session
"""


class Case:
    """A notebook with a launch cell, which was run, and a download that is on its way."""

    def __init__(self, page: Page, jupyter: Any, files: Any, session: str) -> None:
        self.page, self.jupyter, self.files = page, jupyter, files
        self.session, self.name = session, f"{session}.bin"
        self.notebook = f"{session}.ipynb"
        url = files.address(self.name, size=90 * MB, rate=MB)
        cell = CELL.format(session=session, url=url)
        jupyter.write_notebook(self.notebook, "%load_ext jupyter_bgdl", cell, "mine = 1")
        open_notebook(page, jupyter, self.notebook)
        run(page, 0)
        run(page, 1)
        expect(view(page)).to_be_visible(timeout=30_000)
        expect_kernel(page, "idle")

    @property
    def effect(self) -> list[str]:
        path = self.jupyter.root / f"{self.session}.effect"
        return path.read_text().split() if path.exists() else []

    def kernels(self) -> list[str]:
        sessions = self.jupyter.rest("GET", "/api/sessions")
        return [each["kernel"]["id"] for each in sessions if each["path"] == self.notebook]

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.log()
            # Of another process only asking tells.
            self.page.wait_for_timeout(100)

    def let_go(self) -> None:
        """The callback may return."""
        (self.jupyter.root / f"{self.session}.go").touch()

    def log(self) -> str:
        lines = self.jupyter.rest("GET", f"/bgdl/sessions/{self.session}/log")["lines"]
        return "".join(line["text"] for line in lines)

    def open_log(self) -> Any:
        head = view(self.page).locator(".jp-bgdl-ViewHead")
        if head.get_attribute("aria-expanded") == "false":
            head.click()
        view(self.page).get_by_role("treeitem", name=re.compile("^Log")).click()
        return view(self.page).locator(".jp-bgdl-Log")


@pytest.fixture
def make_case(page: Page, jupyter: Any, files: Any) -> Callable[..., Case]:
    def make(session: str) -> Case:
        return Case(page, jupyter, files, f"{session}-{jupyter.app}")

    return make


def test_a_notebook_opened_during_a_launch_gets_its_kernel_and_shows_the_log(
    page: Page, jupyter: Any, make_case: Callable[..., Case], shots: Path
) -> None:
    case = make_case("woken")
    save(page)
    page.goto("about:blank")
    for running in jupyter.rest("GET", "/api/sessions"):
        jupyter.rest("DELETE", f"/api/sessions/{running['id']}")
    assert case.kernels() == []
    case.files.hurry.set()
    case.until((jupyter.root / f"{case.session}.began").exists)
    launched = case.kernels()
    assert len(launched) == 1

    page.goto(jupyter.notebook_address(case.notebook))
    expect(view(page).get_by_text("The launch cell runs in")).to_be_visible()
    page.screenshot(path=shots / f"real-launch-running-{jupyter.app}.png")
    case.let_go()
    case.until(lambda: case.effect)
    assert case.effect[1] == case.name
    expect(case.open_log()).to_contain_text(f"has dealt with {case.name}")
    page.screenshot(path=shots / f"real-launch-log-{jupyter.app}.png")
    assert case.kernels() == launched, "the notebook has the kernel that was launched"
    run(page, 2)
    expect_kernel(page, "idle")
    assert case.kernels() == launched, "a kernel that a person looks at is not shut down"


def test_a_kernel_restarted_from_the_menu_hears_of_it_without_a_cell_run(
    page: Page, jupyter: Any, make_case: Callable[..., Case], shots: Path
) -> None:
    case = make_case("restarted")
    case.let_go()
    before = case.kernels()
    restart_from_the_menu(page)
    case.files.hurry.set()
    case.until(lambda: case.effect)
    assert case.effect[1:] == [case.name], "once"
    assert case.kernels() == before
    expect(case.open_log()).to_contain_text(f"has dealt with {case.name}")
    expect(view(page).locator(".jp-bgdl-Band")).to_have_count(0)
    page.screenshot(path=shots / f"real-launch-restarted-{jupyter.app}.png")


def test_where_code_was_run_a_person_is_asked(
    page: Page, jupyter: Any, make_case: Callable[..., Case], shots: Path
) -> None:
    case = make_case("asked")
    case.let_go()
    restart_from_the_menu(page)
    run(page, 2)
    case.files.hurry.set()
    band = view(page).locator(".jp-bgdl-Band")
    expect(band).to_contain_text("Code was run in its kernel", timeout=60_000)
    page.screenshot(path=shots / f"real-launch-asked-{jupyter.app}.png")
    assert case.effect == []
    band.get_by_role("button", name="Run launch cell").click()
    case.until(lambda: case.effect)
    assert case.effect[1:] == [case.name]
    expect(band).to_have_count(0)


def test_the_notice_in_the_dark(
    page: Page, jupyter: Any, make_case: Callable[..., Case], shots: Path
) -> None:
    if jupyter.app != "lab":
        pytest.skip("the theme is JupyterLab's")
    jupyter.set_theme("JupyterLab Dark")
    try:
        case = make_case("dark")
        restart_from_the_menu(page)
        run(page, 2)
        case.files.hurry.set()
        band = view(page).locator(".jp-bgdl-Band")
        expect(band).to_contain_text("Code was run in its kernel", timeout=60_000)
        page.screenshot(path=shots / "real-launch-asked-lab-dark.png")
        assert json.dumps(case.effect) == "[]"
    finally:
        jupyter.set_theme("JupyterLab Light")
