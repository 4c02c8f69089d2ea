"""Nobody writes where they may not: callers of a real server, links that are swapped, and 100,000
generated paths."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import figures
from support.fileserver import FileServer, content
from support.jupyter import TOKEN, JupyterServer
from support.station import Station, StationError

from jupyter_bgdl.engine.confines import Confines, common
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import PartFile
from jupyter_bgdl.model import TOKEN_HEADER

BODY = content(300_000)
ENABLED = "--ServerApp.jpserver_extensions={'jupyter_bgdl': True}"


class Callers:
    """Those who ask a server: each an HTTP client of its own."""

    def __init__(self, server: JupyterServer) -> None:
        self.root = server.root
        credentials = json.loads((server.runtime / f"bgdl-{server.pid}.json").read_text())
        page = {"Origin": server.url.rstrip("/"), "Authorization": f"token {TOKEN}"}
        self._clients = {
            "kernel": self._client(server, {TOKEN_HEADER: credentials["token"]}),
            "script": self._client(server, {"Authorization": f"token {TOKEN}"}),
            "page with a token": self._client(server, page),
            "page with a cookie": self._client(server, {}),
        }
        cookie = self._clients["page with a cookie"]
        cookie.get("login", params={"token": TOKEN}, follow_redirects=True)
        cookie.headers["X-XSRFToken"] = cookie.cookies["_xsrf"]

    @staticmethod
    def _client(server: JupyterServer, headers: dict[str, str]) -> httpx.Client:
        return httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=30)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def post(self, caller: str, path: str, body: Any) -> httpx.Response:
        return self._clients[caller].post(f"bgdl/sessions/paths/{path}", json=body)

    def submit(self, caller: str, url: str, destination: Path | str, **more: Any) -> httpx.Response:
        spec = {"request": {"url": url}, "destination": str(destination), **more}
        return self.post(caller, "tasks", {"tasks": [spec]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    home = tmp_path_factory.mktemp("jupyter")
    server = JupyterServer(home, arguments=(ENABLED,))
    for folder in ("root/real", "root/.hidden", "root-secret", "outside"):
        (home / folder).mkdir(parents=True)
    (home / "root/out").symlink_to(home / "outside")
    (home / "root/around").symlink_to("real")
    (home / "root/veiled").symlink_to(".hidden")
    with server:
        server.attach("paths")
        yield server


@pytest.fixture(scope="module")
def callers(server: JupyterServer) -> Iterator[Callers]:
    callers = Callers(server)
    yield callers
    callers.close()


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer() as files:
        files.add("a.bin", BODY)
        yield files


_names = itertools.count()
PAGES = ["page with a cookie", "page with a token"]
REFUSED = {
    "begins alike": "{root}-secret/{name}",
    "above": "{root}/../outside/{name}",
    "above, the long way": "{root}/real/../../outside/{name}",
    "elsewhere": "{root}/../../{name}",
    "through a link": "{root}/out/{name}",
    "a folder through a link": "{root}/out/new/{name}",
    "hidden file": "{root}/.{name}",
    "in a hidden folder": "{root}/.hidden/{name}",
    "below a hidden folder": "{root}/.new/real/{name}",
    "hidden, through a link": "{root}/veiled/{name}",
    "the folder above": "{root}/..",
    "a linked folder": "{root}/out/",
}


@pytest.mark.parametrize("caller", PAGES)
@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED.keys())
def test_T5_a_page_writes_in_the_contents_root_alone(
    callers: Callers, files: FileServer, caller: str, path: str
) -> None:
    name = f"{next(_names)}.bin"
    answer = callers.submit(caller, files.url("a.bin"), path.format(root=callers.root, name=name))
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["code"] == "destination_not_allowed"
    assert not list(callers.root.parent.rglob(f"*{name}"))


@pytest.mark.parametrize(
    "folder", ["", "real/", "around/", "new/deep/", "%2e%2e/", "a%2f..%2foutside/"]
)
def test_T5_what_is_inside_is_written_where_it_says(
    callers: Callers, server: JupyterServer, files: FileServer, folder: str
) -> None:
    """Escapes mean nothing in a path: they are the names that they look like."""
    path = callers.root / folder / f"{next(_names)}.bin"
    answer = callers.submit("page with a cookie", files.url("a.bin"), path)
    assert answer.status_code == 200, answer.text
    number = answer.json()["tasks"][0]["task"]["task_identifier"]
    server._until(lambda: server.task("paths", number)["state"] == "completed", "it hangs")
    assert server.task("paths", number)["error"] is None
    assert path.read_bytes() == BODY
    assert path.resolve().is_relative_to(callers.root)


@pytest.mark.parametrize("caller", ["kernel", "script"])
def test_T5_who_may_run_code_writes_where_the_user_can(
    callers: Callers, server: JupyterServer, files: FileServer, caller: str
) -> None:
    path = server.home / "outside" / f".{next(_names)}.bin"
    answer = callers.submit(caller, files.url("a.bin"), path)
    assert answer.status_code == 200, answer.text
    number = answer.json()["tasks"][0]["task"]["task_identifier"]
    server._until(lambda: server.task("paths", number)["state"] == "completed", "it hangs")
    assert path.read_bytes() == BODY


def test_T5_a_page_has_no_file_sent_that_it_could_not_show(
    callers: Callers, server: JupyterServer, files: FileServer
) -> None:
    secret, hidden = server.home / "outside/key", server.root / ".hidden/key"
    for path in (secret, hidden, server.root / "key"):
        path.write_text("canary")
    link = server.root / "linked-key"
    link.symlink_to(secret)
    request = {"url": files.url("up"), "method": "PUT"}
    for path in (secret, hidden, link):
        body = {"tasks": [{"request": request, "from_file": str(path)}]}
        answer = callers.post("page with a cookie", "tasks", body)
        assert answer.status_code == 403, answer.text
    body = {"tasks": [{"request": request, "from_file": str(server.root / "key"), "resume": False}]}
    assert callers.post("page with a cookie", "tasks", body).status_code == 200


def test_T5_a_page_has_no_say_in_what_a_kernel_writes_elsewhere(
    callers: Callers, server: JupyterServer, files: FileServer
) -> None:
    """By a key, by staging, by what it says a file was moved to."""
    outside = server.home / "outside"
    url = files.url("a.bin")
    made = callers.submit("kernel", url, outside / "keyed.bin", key="k", resume=False)
    number = made.json()["tasks"][0]["task"]["task_identifier"]
    for caller in PAGES:
        answer = callers.submit(caller, url + "?other", server.root / "b.bin", key="k")
        assert answer.status_code == 403, answer.text
        body = {"tasks": [{"request": {"url": url}, "staging": str(outside)}]}
        assert callers.post(caller, "tasks", body).status_code == 403
    assert server.task("paths", number)["url"] == url
    kept = callers.submit("kernel", url, server.root / "moved.bin").json()["tasks"][0]["task"]
    number = kept["task_identifier"]
    server._until(lambda: server.task("paths", number)["state"] == "completed", "it hangs")
    (outside / "there.bin").write_bytes(BODY)
    body = {"path": str(outside / "there.bin")}
    assert callers.post("page with a cookie", f"tasks/{number}/moved", body).status_code == 403
    assert callers.post("kernel", f"tasks/{number}/moved", body).status_code == 200


@pytest.mark.parametrize("when", ["before it begins", "while it is fetched"])
def test_T5_a_link_that_comes_later_leads_nowhere(
    callers: Callers, server: JupyterServer, when: str
) -> None:
    outside, folder = server.home / "outside", server.root / f"sub{next(_names)}"
    before = set(outside.rglob("*"))
    with FileServer() as files:
        files.add("a.bin", content(2_000_000))
        files.hold("a.bin", 1_000_000)
        begins = when != "before it begins"
        answer = callers.submit(
            "page with a cookie", files.url("a.bin"), folder / "a.bin", resume=begins
        )
        number = answer.json()["tasks"][0]["task"]["task_identifier"]
        if begins:
            files.wait_for(lambda: files["a.bin"].reached >= 1_000_000)
            # What was sent has not been received yet.
            server._until(lambda: folder.is_dir() and any(folder.iterdir()), "there is no part")
            folder.rename(folder.with_suffix(".old"))
        folder.symlink_to(outside)
        files.hold("a.bin", None)
        if not begins:
            assert callers.post("page with a cookie", f"tasks/{number}/resume", None).is_success
        done = "completed"
        server._until(lambda: server.task("paths", number)["state"] == done, "it hangs")
    assert server.task("paths", number)["error"]["code"] == "destination_not_allowed"
    assert set(outside.rglob("*")) == before


def test_T5_allowed_directories_hold_for_kernels_and_pages(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "allowed-not"
    for folder in (allowed, other):
        folder.mkdir()
    (allowed / "out").symlink_to(other)
    settings = {"allowed_directories": [str(allowed)]}
    with FileServer() as files, Station(tmp_path / "home", settings=settings) as station:
        url = files.add("a.bin", BODY)
        for path in (other / "a.bin", allowed / "out/a.bin", tmp_path / "a.bin"):
            with pytest.raises(StationError, match="allowed_directories"):
                station.submit(url, path)
        station.submit(url, allowed / "in/.hidden/a.bin")
        assert station.wait(1)["error"] is None
        station.submit(url + "?1", allowed / "late/a.bin", resume=False)
        station.stop()
        # What was asked for before has to be allowed when it is written.
        station.settings["allowed_directories"] = [str(other)]
        station.start()
        station.call("resume", number=2)
        assert station.wait(2)["error"]["code"] == "destination_not_allowed"
        assert not (allowed / "late").exists()
    assert not list(other.iterdir())


def test_T5_folders_narrow_each_other(tmp_path: Path) -> None:
    for name in ("root/a", "root-b", "all/root"):
        (tmp_path / name).mkdir(parents=True)
    root, inner, alike = (str(tmp_path / name) for name in ("root", "root/a", "root-b"))
    assert common([root], [inner, alike]) == (inner,)
    assert common([inner], [root]) == (inner,)
    assert common([root], [alike]) == ()


def test_T5_T8_a_link_that_is_swapped_all_the_time_leads_nowhere(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "sub", outside):
        folder.mkdir(parents=True)
    (root / "link").symlink_to(outside)
    over = threading.Event()
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    here, names = -100, [str(root / name).encode() for name in ("sub", "link")]

    def swap() -> None:
        while not over.is_set():
            assert exchange(here, names[0], here, names[1], 2) == 0  # RENAME_EXCHANGE

    confines = Confines((str(root),))
    swapping = threading.Thread(target=swap)
    swapping.start()
    written = 0
    try:
        for number in range(5_000):
            try:
                part = PartFile.create(str(root / "sub"), [f"{number}.bin"], confines)
            except Abort:
                continue
            part.close()
            written += 1
    finally:
        over.set()
        swapping.join()
    assert not list(outside.iterdir())
    assert 0 < written < 5_000, "the links were not met"


def test_T5_100000_generated_paths_write_nothing_outside(tmp_path: Path) -> None:
    chance = random.Random(5)
    root = tmp_path / "root"
    for name in ("root/a/b", "root/.h", "root-secret", "outside/a"):
        (tmp_path / name).mkdir(parents=True)
    for name, target in {
        "up": "..",
        "away": str(tmp_path / "outside"),
        "a/over": "../../root-secret",
        "a/in": "b",
        "loop": "loop",
        "shown": ".h",
    }.items():
        (root / name).symlink_to(target)
    words = [
        *("..", ".", "a", "b", "up", "away", "over", "in", "loop", "shown", ".h", "", "root"),
        *(
            "%2e%2e",
            "..%2f",
            "…",
            "．．",
            "a\n",
            " ..",
            ".. ",
            "\\..",
            "~",
            "$HOME",
            "\u202e",
            "CON",
        ),
    ]
    starts = [str(root), str(root), str(tmp_path), f"{root}-secret", "", f"{root}/a/.."]
    confines = Confines((str(root),), allows_hidden=False)
    made = 0
    for number in range(100_000):
        middle = "/".join(chance.choices(words, k=chance.randrange(5)))
        folder = f"{chance.choice(starts)}/{middle}"
        if chance.random() < 0.5:  # As a submitted path is; the engine must not rely on it.
            folder = os.path.normpath(folder)
        try:
            PartFile.create(folder, [f"{number}.canary"], confines).close()
        except Abort:
            continue
        made += 1
    found = list(tmp_path.rglob("*.canary"))
    assert made == len(found) > 1_000
    outside = [path for path in found if not path.resolve().is_relative_to(root)]
    outside += [*(root / ".h").iterdir(), *(tmp_path / "root-secret").iterdir()]
    outside += [path for path in (tmp_path / "outside").iterdir() if path.name != "a"]
    figures.count(figures.WRITES, outside)
    assert outside == []
