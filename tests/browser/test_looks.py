"""How every state looks, in both themes. Here alone the server's side of the channel is scripted:
some states (a full disk, a begin date) can't be had on demand."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from support.axe import serious_faults

MIME_TYPE = "application/vnd.jupyter-bgdl.session+json"
LONG = (
    "reanalysis-era5-single-levels-monthly-means-of-daily-means-2-metre-temperature-"
    "1940-2024-consolidated-rev-0007_v03.nc"
)
HOSTILE = "<img src=x onerror=alert(1)>.csv"
GB = 1e9


def task(number: int, name: str, phase: str, **changes: Any) -> dict[str, Any]:
    state = "running" if phase in ("waiting", "running", "finishing") else phase
    return {
        "session": "era5",
        "task_identifier": number,
        "generation": 1,
        "revision": 1,
        "state": state,
        "phase": phase,
        "waiting_for": None,
        "until": None,
        "reason": "",
        "name": name,
        "host": "cds.example.org",
        "url": f"https://cds.example.org/era5/2023/{name}",
        "description": "",
        "destination": "/home/me/data/era5/",
        "path": None,
        "received": 0,
        "total": None,
        "rate": 0.0,
        "attempts": 1,
        "checksum": None,
        "verified": False,
        "error": None,
        "response": None,
        "created_at": time.time() - 3600,
        "completed_at": None,
    } | changes


def session(identifier: str, counts: dict[str, int], **changes: Any) -> dict[str, Any]:
    none = dict.fromkeys(("suspended", "waiting", "running", "done", "failed", "cancelled"), 0)
    return {
        "identifier": identifier,
        "revision": 1,
        "owner": {"name": "analysis.ipynb", "kernel_id": "k", "notebook": None},
        "counts": none | counts,
        "received": 0,
        "total": 0,
        "total_is_known": True,
        "rate": 0.0,
        "undelivered": 0,
        "parked": 0,
        "created_at": time.time() - (3600 if identifier == "era5" else 7200),
    } | changes


def _tonight() -> float:
    """The next 02:02."""
    now = datetime.now().astimezone()
    then = now.replace(hour=2, minute=2, second=0)
    return (then if then > now else then + timedelta(days=1)).timestamp()


def _done(number: int, name: str, size: float, **changes: Any) -> dict[str, Any]:
    finished = time.time() - 60 * number
    return (
        task(number, name, "completed", received=int(size), total=int(size), completed_at=finished)
        | changes
    )


def era5(step: int) -> list[dict[str, Any]]:
    """Every state of a task; what runs has moved on by ``step`` fifths of a second."""
    moved = step * 9_600_000
    failed = {"code": "checksum_mismatch", "message": "sha256 is 9f86…, not 2c26…"}
    running = {"total": int(12.4 * GB), "rate": 48e6, "received": int(3.2 * GB) + moved}
    return [
        task(1, "era5_t2m_2023.nc", "running", checksum="sha256:00", attempts=2, **running),
        task(2, LONG, "running", received=int(1.1 * GB) + moved, total=int(4.6 * GB), rate=52e6),
        task(3, "station_listing.csv.gz", "running", received=842_000_000 + moved, rate=12e6),
        task(
            4,
            "era5_wind_2023.nc",
            "waiting",
            waiting_for="retry",
            until=time.time() + 42,
            reason="Server busy",
            received=5 * 10**9,
            total=int(11.8 * GB),
        ),
        task(
            5,
            "era5_precip_2023.nc",
            "waiting",
            waiting_for="earliest_begin_date",
            until=_tonight(),
            total=int(12.1 * GB),
        ),
        task(6, "era5_soil_2022.nc", "completed", error=failed, completed_at=time.time() - 300),
        *[_done(9 + i, f"era5_sst_20{10 + i}.nc", 11.9 * GB, verified=True) for i in range(8)],
        _done(8, HOSTILE, 18_000, host="stations.example.net"),
    ]


def cmip6() -> list[dict[str, Any]]:
    half = {"received": int(1.3 * GB), "total": int(6.4 * GB)}
    return [
        each | {"session": "cmip6", "host": "esgf.example.org"}
        for each in [
            task(
                1,
                "tas_day_UKESM1_ssp585.tar",
                "waiting",
                waiting_for="disk_space",
                reason="Disk is 21 GB short",
                total=36 * 10**9,
            ),
            task(2, "pr_day_UKESM1_ssp585.tar", "waiting", waiting_for="conditions"),
            task(
                3,
                "psl_day_UKESM1_ssp585.tar",
                "waiting",
                waiting_for="credentials",
                reason="ESGF_TOKEN",
            ),
            task(4, "hus_day_UKESM1_ssp585.tar", "suspended", **half),
            *[_done(5 + i, f"ta_day_UKESM1_{i:02}.tar", 2.4 * GB) for i in range(12)],
        ]
    ]


def everything(step: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    counts = {"running": 3, "waiting": 2, "failed": 1, "done": 9}
    sessions = [
        session(
            "era5",
            counts,
            received=52 * 10**9 + step * 22_000_000,
            total=int(83.6 * GB),
            total_is_known=False,
            rate=112e6 + 9e6 * (step // 5 % 4),
            parked=2,
        ),
        session(
            "cmip6",
            {"waiting": 3, "suspended": 1, "done": 12},
            owner=None,
            undelivered=12,
            received=int(29.7 * GB),
            total=int(80.5 * GB),
        ),
    ]
    return sessions, era5(step) + cmip6()


class Script:
    """The server's side of the channel."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.refuse = False
        self.scene: tuple[list[dict[str, Any]], list[dict[str, Any]]] = everything(0)
        self.more: tuple[list[dict[str, Any]], list[dict[str, Any]]] = [], []
        """Sessions and tasks that rest while others move."""
        self._revision = 10

    def connect(self, socket: WebSocketRoute) -> None:
        if self.refuse:
            socket.close(code=1013)
            return
        self.sockets.append(socket)
        socket.on_message(lambda text: self._answer(socket, json.loads(text)))

    def _answer(self, socket: WebSocketRoute, message: dict[str, Any]) -> None:
        if message["type"] == "watch":
            only = message["session"]
            counts = {} if message["tasks"] else {"tasks": None}
            self._say(socket, {"type": "snapshot", "watch": only}, only, **counts)

    def _say(
        self, socket: WebSocketRoute, message: dict[str, Any], only: str | None, **instead: None
    ) -> None:
        sessions, tasks = (self.scene[0] + self.more[0], self.scene[1] + self.more[1])
        chosen = {
            "sessions": [each for each in sessions if only in (None, each["identifier"])],
            "tasks": [each for each in tasks if only in (None, each["session"])],
        }
        socket.send(json.dumps(message | chosen | instead))

    def play(self, page: Page, steps: int) -> None:
        """Let bytes move for ``steps`` fifths of a second."""
        for step in range(1, steps + 1):
            self._revision += 1
            sessions, tasks = everything(step)
            newer = {"revision": self._revision}
            self.scene = [s | newer for s in sessions], [t | newer for t in tasks]
            for socket in self.sockets:
                self._say(socket, {"type": "state"}, None)
            page.wait_for_timeout(200)  # five messages a second, as the server sends them

    def lose(self) -> None:
        self.refuse = True
        for socket in self.sockets:
            socket.close(code=1001)
        self.sockets.clear()


@pytest.fixture
def script(page: Page) -> Script:
    made = Script()
    page.route_web_socket(re.compile(r"/bgdl/channel"), made.connect)
    return made


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"], ids=["light", "dark"])
def theme(request: pytest.FixtureRequest, lab: Any) -> str:
    lab.set_theme(request.param)
    return str(request.param).rsplit(" ", 1)[1].lower()


PANEL = "#jupyter-bgdl-panel"


def open_panel(page: Page, lab: Any) -> Any:
    page.goto(lab.address("lab?reset"))
    # Opened last, it takes the focus from what a test presses keys on.
    expect(page.locator(".jp-Launcher")).to_be_visible()
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="jupyter-bgdl-panel"]').click()
    panel = page.locator("#jupyter-bgdl-panel")
    expect(panel).to_be_visible()
    return panel


def test_panel_in_every_state(
    page: Page, lab: Any, script: Script, theme: str, shots: Path
) -> None:
    disk = {"folder": "/home/me/data", "free": int(61.2 * GB), "to_come": int(82.4 * GB)}
    held = {"session": "era5", "parts": int(2.1 * GB), "staged": 0, "removable": 3}
    usage = {"sessions": [held], "disks": [disk], "kept": 0, "total": int(2.1 * GB)}
    page.route(re.compile("/bgdl/usage"), lambda route: route.fulfill(json=usage))
    panel = open_panel(page, lab)
    expect(panel.locator(".jp-bgdl-Task")).to_have_count(14)
    expect(panel.get_by_label("The disk is short")).to_be_visible()
    settled = script.scene[0][0] | {"revision": 9, "parked": 0}
    page.route(re.compile("/era5/redeliver"), lambda route: route.fulfill(json=settled))
    panel.get_by_role("treeitem", name="2 callbacks raised").press("Enter")
    expect(panel.get_by_role("button", name="Deliver again")).to_have_count(0)
    script.play(page, 40)
    rows = panel.locator(".jp-bgdl-Row")
    assert {round(row.bounding_box()["height"]) for row in rows.all()} == {52}
    expect(panel.get_by_text(re.compile(r"^\d+\smin\sleft$")).first).to_be_visible()
    expect(panel.get_by_text(re.compile(r"Starts (tonight|tomorrow) at 02:02"))).to_be_visible()
    expect(panel.get_by_text(HOSTILE)).to_be_visible()
    panel.screenshot(path=shots / f"panel-{theme}.png")
    panel.get_by_role("button", name="Filter").click()
    panel.get_by_label("Filter by name").fill("ssp585")
    expect(panel.locator('[data-session="era5"]')).to_have_count(0)
    panel.get_by_label("Filter by state").select_option("Waiting")
    expect(rows).to_have_count(4)
    panel.screenshot(path=shots / f"panel-filter-{theme}.png")
    assert serious_faults(page, PANEL) == []
    panel.get_by_label("Filter by name").fill("nothing like it")
    expect(panel.get_by_text("Nothing matches")).to_be_visible()
    panel.get_by_role("button", name="Clear filter").click()
    panel.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(14)
    assert serious_faults(page, PANEL) == []
    rows.first.hover()
    expect(rows.first.get_by_label("Pause")).to_be_visible()
    rows.first.click()
    expect(panel.locator(".jp-bgdl-Details")).to_be_visible()
    panel.screenshot(path=shots / f"panel-details-{theme}.png")
    assert serious_faults(page, PANEL) == []


def test_cancelling_much_asks_first(
    page: Page, lab: Any, script: Script, theme: str, shots: Path
) -> None:
    asked: list[str] = []
    page.route(re.compile("/bgdl/sessions/"), lambda route: asked.append(route.request.url))
    panel = open_panel(page, lab)
    row = panel.get_by_role("treeitem", name="era5_t2m_2023.nc")
    row.press("Delete")
    dialog = page.locator(".jp-Dialog")
    expect(dialog.get_by_text("3.2\u00a0GB of “era5_t2m_2023.nc” were fetched")).to_be_visible()
    page.screenshot(path=shots / f"cancel-{theme}.png")
    assert serious_faults(page, ".jp-Dialog-content") == []
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    assert asked == []


def test_uploads_in_the_panel(
    page: Page, lab: Any, script: Script, theme: str, shots: Path
) -> None:
    up = {"kind": "upload", "session": "results", "host": "archive.example.org"}
    refused = {"url": "https://archive.example.org/in", "status_code": 413, "headers": {}}
    moving = {"received": int(1.4 * GB), "total": int(5.1 * GB), "rate": 31e6}
    script.scene = (
        [session("results", {"running": 1, "done": 1}, received=2 * 10**9, total=6 * 10**9)],
        [
            task(1, "model_run_07.zarr.zip", "running", **up, **moving),
            _done(2, "model_run_06.zarr.zip", 4.9 * GB, **up, response=refused),
        ],
    )
    panel = open_panel(page, lab)
    expect(panel.get_by_text("answered 413")).to_be_visible()
    row = panel.get_by_role("treeitem", name="model_run_07.zarr.zip")
    expect(row.get_by_label("Sending")).to_be_visible()
    panel.screenshot(path=shots / f"panel-uploads-{theme}.png")
    assert serious_faults(page, PANEL) == []
    row.press("Delete")
    expect(page.locator(".jp-Dialog").get_by_text("were sent")).to_be_visible()
    page.locator(".jp-Dialog").get_by_role("button", name="Keep").click()


def test_panel_wide(page: Page, lab: Any, script: Script, theme: str, shots: Path) -> None:
    panel = open_panel(page, lab)
    handle = page.locator(".lm-SplitPanel-handle:visible").first
    box = handle.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 300, steps=5)
    page.mouse.up()
    script.play(page, 20)
    expect(panel.locator(".jp-bgdl-Row-host").first).to_be_visible()
    panel.screenshot(path=shots / f"panel-wide-{theme}.png")
    assert serious_faults(page, PANEL) == []


NAMES = {
    "long": "x" * 280 + "_2023_v03.nc",
    "right-to-left": "\u0628\u064a\u0627\u0646\u0627\u062a_2023.csv",
    "override": "gnp.\u202egnp.exe",
    "emoji": "\U0001f30d\U0001f9ca\U0001f468\u200d\U0001f52c ice.nc",
    "markup": HOSTILE,
    "entity": "&lt;b&gt; &amp; 100%.txt",
}


def test_names_and_sizes_that_nobody_expects(
    page: Page, lab: Any, script: Script, theme: str, shots: Path
) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    many = {"session": "many", "host": "h.example.org"}
    failed = {"error": {"code": "http_status", "message": "The server said 503."}}
    odd = {"session": "odd", "host": "h.example.org"}
    script.scene = (
        [
            session("odd", {"running": 2, "done": len(NAMES) - 1}, total_is_known=False),
            session("many", {"failed": 1000}, owner=None),
        ],
        [
            task(1, NAMES["long"], "running", **odd, received=842_000_000, rate=12e6),
            task(2, "nothing_yet.bin", "running", **odd),
            *[_done(3 + i, name, 0, **odd) for i, name in enumerate(list(NAMES.values())[1:])],
            *[
                task(i, f"part-{i:04}.nc", "completed", **many, **failed, completed_at=time.time())
                for i in range(1, 1001)
            ],
        ],
    )
    panel = open_panel(page, lab)
    panel.locator('[data-session="odd"]').get_by_text("more finished").click()
    for name in NAMES.values():
        row = panel.get_by_role("treeitem", name=name, exact=True)
        expect(row).to_be_visible()
        expect(row.locator("img, b, script")).to_have_count(0)
    disguised = panel.get_by_role("treeitem", name=NAMES["override"], exact=True)
    expect(disguised.locator(".jp-bgdl-Name")).to_have_text("gnp.\ufffdgnp.exe")
    expect(panel.get_by_text("size unknown").first).to_be_visible()
    expect(panel.get_by_text("1000 failed")).to_be_visible()
    scroll = panel.locator(".jp-bgdl-Panel-scroll")
    assert scroll.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    tail = panel.get_by_role("treeitem", name=NAMES["long"], exact=True)
    expect(tail.get_by_text("2023_v03.nc")).to_be_visible()
    panel.screenshot(path=shots / f"panel-odd-{theme}.png")
    assert serious_faults(page, PANEL) == []


def test_panel_empty(page: Page, lab: Any, script: Script, theme: str, shots: Path) -> None:
    script.scene = [], []
    panel = open_panel(page, lab)
    expect(panel.get_by_text("Downloads go on here")).to_be_visible()
    panel.get_by_label("Copy code").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("import jupyter_bgdl as bgdl\n")
    panel.screenshot(path=shots / f"panel-empty-{theme}.png")
    assert serious_faults(page, PANEL) == []


def test_panel_not_connected(page: Page, lab: Any, script: Script, theme: str, shots: Path) -> None:
    panel = open_panel(page, lab)
    script.play(page, 5)
    script.lose()
    expect(panel.get_by_text("the downloads may be going on")).to_be_visible()
    expect(panel.get_by_text("MB/s")).to_have_count(0)
    expect(panel.get_by_text("left", exact=False)).to_have_count(0)
    panel.locator(".jp-bgdl-Row").first.hover()
    expect(panel.locator(".jp-bgdl-Tree .jp-bgdl-IconButton:visible")).to_have_count(0)
    panel.screenshot(path=shots / f"panel-lost-{theme}.png")
    assert serious_faults(page, PANEL) == []
    # Else it is connected again before anybody has clicked.
    expect(panel.get_by_text(re.compile(r"next try in [4-9]\b"))).to_be_visible()
    script.refuse = False
    panel.get_by_role("button", name="Try now").click()
    expect(panel.get_by_text("Not connected")).to_have_count(0)


def test_output_in_every_state(
    page: Page, lab: Any, script: Script, theme: str, shots: Path
) -> None:
    over = session("gpcp", {"done": 3}, received=291 * 10**9, total=291 * 10**9)
    files = [_done(i + 1, f"gpcp_{i}.nc", 97 * GB, session="gpcp", verified=True) for i in range(3)]
    script.more = [over], files
    subjects = [("era5", None), ("gpcp", None), ("era5", 1), ("era5", 6), ("cmip6", None)]
    for number, (name, wanted) in enumerate(subjects):
        bundle = {"version": 1, "session": name} | ({"task": wanted} if wanted else {})
        output = {
            "output_type": "display_data",
            "data": {MIME_TYPE: bundle, "text/plain": name},
            "metadata": {},
        }
        subjects[number] = output  # type: ignore[call-overload]
    lab.write_notebook("looks.ipynb", "era5", outputs=subjects)
    page.goto(lab.notebook_address("looks.ipynb"))
    views = page.locator(".jp-bgdl-View")
    expect(views).to_have_count(5)
    script.play(page, 40)
    expect(views.nth(1).get_by_text("all verified")).to_be_visible()
    views.first.locator(".jp-bgdl-Row").first.hover()
    page.screenshot(path=shots / f"output-{theme}.png")
    assert serious_faults(page, ".jp-bgdl-View") == []
    heights = {round(row.bounding_box()["height"]) for row in page.locator(".jp-bgdl-Row").all()}
    assert heights == {32}
    script.lose()
    expect(views.first.get_by_text("the downloads may be going on")).to_be_visible()
    page.screenshot(path=shots / f"output-lost-{theme}.png")
    assert serious_faults(page, ".jp-bgdl-View") == []
