"""Real servers, a real Chromium, and a file server whose speed the test decides."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = Path(__file__).parent / "shots"
CHUNK = 16 * 1024

expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in here drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(240))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="there is no chromium on this machine"))


# ---------------------------------------------------------------- the file server


def body(name: str, size: int) -> bytes:
    """What the file server sends for ``name``: the same at each request."""
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


class _Files(BaseHTTPRequestHandler):
    """``/NAME?size=BYTES&rate=BYTES_PER_SECOND&status=CODE``, with ranges and a strong ETag."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = unquote(parts.path[1:])
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        owner: FileServer = self.server.owner  # type: ignore[attr-defined]
        status = owner.status.get(name, 200)
        if status != 200:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = body(name, int(query["size"]))
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if wanted and self.headers.get("If-Range", etag) == etag:
            start = int(wanted[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", etag)
        self.end_headers()
        self._pour(memoryview(data)[start:], float(query.get("rate", 0)), owner)

    def _pour(self, data: memoryview, rate: float, owner: FileServer) -> None:
        with contextlib.suppress(OSError):
            for offset in range(0, len(data), CHUNK):
                self.wfile.write(data[offset : offset + CHUNK])
                # The throttle: this pause is the speed of the "network".
                if rate and owner.hurry.wait(CHUNK / rate):
                    rate = 0

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class FileServer:
    url: str
    status: dict[str, int] = field(default_factory=dict)
    """Names that are answered with an error status."""
    hurry: threading.Event = field(default_factory=threading.Event)
    """Set: no throttle any more."""

    def address(self, name: str, *, size: int, rate: int = 0) -> str:
        return f"{self.url}/{quote(name)}?size={size}&rate={rate}"


@pytest.fixture
def files() -> Iterator[FileServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.daemon_threads = True
    owner = FileServer(f"http://127.0.0.1:{server.server_port}")
    server.owner = owner  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield owner
    owner.hurry.set()
    server.shutdown()
    thread.join()
    server.server_close()


# ---------------------------------------------------------------- the Jupyter server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Jupyter:
    """A real server process with a token and XSRF checks, all its files under one folder."""

    def __init__(self, folder: Path, app: str) -> None:
        self.app = app
        self.home = folder
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._settle("notification", {"fetchNews": "false"})

    def start(self) -> None:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")
        } | {
            "HOME": str(self.home),
            "IPYTHONDIR": str(self.home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.home / "workspaces"),
            "JUPYTER_TOKEN": self.token,
        }
        command = [
            *(sys.executable, "-m", "jupyter", self.app, "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}"),
        ]
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self.root, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.home / "server.log").read_text())

    def _answers(self) -> bool:
        try:
            self.rest("GET", "/api/status")
        except OSError:
            # Nothing tells when a foreign process listens: ask again a moment later.
            threading.Event().wait(0.1)
            return False
        return True

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def rest(self, method: str, path: str, data: Any = None) -> Any:
        """The decoded answer. Raises OSError (``urllib.error``) for an error status."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            content = response.read()
        return json.loads(content) if content else None

    def wait_for_kernel(self, notebook: str) -> None:
        """Until the notebook's kernel is idle and a page is connected to it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for session in self.rest("GET", "/api/sessions"):
                kernel = session["kernel"]
                ready = kernel["execution_state"] == "idle" and kernel["connections"] > 0
                if session["path"] == notebook and ready:
                    return
            # Of another process' kernel only asking tells.
            threading.Event().wait(0.1)
        raise TimeoutError(f"{notebook} got no kernel")

    def set_theme(self, name: str) -> None:
        self._settle("themes", {"theme": name})

    def _settle(self, plugin: str, settings: dict[str, str]) -> None:
        folder = self.home / "settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings))

    def write_notebook(self, name: str, *cells: str, outputs: list[Any] | None = None) -> None:
        """A notebook of code cells; ``outputs`` are those of the last one."""
        made: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"cell{index}",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for index, source in enumerate(cells)
        ]
        if outputs:
            made[-1]["outputs"] = outputs
        notebook = {
            "cells": made,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(notebook))

    def address(self, path: str = "") -> str:
        """Of a page, with the token (the server answers it with a cookie)."""
        separator = "&" if "?" in path else "?"
        return f"{self.url}/{path}{separator}token={self.token}"

    def notebook_address(self, name: str) -> str:
        if self.app == "lab":
            return self.address(f"lab/tree/{name}?reset")
        return self.address(f"notebooks/{name}")


def _running(tmp: pytest.TempPathFactory, app: str) -> Iterator[Jupyter]:
    jupyter = Jupyter(tmp.mktemp(app), app)
    jupyter.start()
    yield jupyter
    jupyter.stop()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """JupyterLab."""
    yield from _running(tmp_path_factory, "lab")


@pytest.fixture(scope="module", params=["lab", "notebook"])
def jupyter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    """JupyterLab, then Notebook 7."""
    yield from _running(tmp_path_factory, request.param)


# ---------------------------------------------------------------- transfers without a kernel


class Transfers:
    """What a kernel would do, by REST: for tests that are about the page, not about kernels."""

    def __init__(self, jupyter: Jupyter) -> None:
        self.jupyter = jupyter

    def attach(self, identifier: str, notebook: str = "analysis.ipynb") -> None:
        place = self.jupyter.root
        self.jupyter.rest(
            "POST",
            f"/bgdl/sessions/{quote(identifier)}/attach",
            {
                "protocol": 1,
                "kernel": {
                    "incarnation": secrets.token_hex(8),
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "started": time.time(),
                    "directory": str(place),
                    "inode": place.stat().st_ino,
                    "name": notebook,
                    "notebook": str(place / notebook),
                },
                "take_over": True,
            },
        )

    def submit(self, identifier: str, *urls: str, **spec: Any) -> list[int]:
        specs = [
            {"request": {"url": url}, "destination": f"{self.jupyter.root}/data/"} | spec
            for url in urls
        ]
        reply = self.jupyter.rest(
            "POST", f"/bgdl/sessions/{quote(identifier)}/tasks", {"tasks": specs}
        )
        return [each["task"]["task_identifier"] for each in reply["tasks"]]

    def task(self, identifier: str, number: int) -> Any:
        return self.jupyter.rest("GET", f"/bgdl/sessions/{quote(identifier)}/tasks/{number}")


@pytest.fixture
def transfers(jupyter: Jupyter) -> Transfers:
    return Transfers(jupyter)


@pytest.fixture
def lab_transfers(lab: Jupyter) -> Transfers:
    """For what there is in JupyterLab alone."""
    return Transfers(lab)


# ---------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Of a module, not of the session: a running Playwright keeps other tests' event loops out.
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    chromium = playwright.chromium.launch(
        executable_path=CHROMIUM,
        headless=True,
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    )
    yield chromium
    chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page said on its console that is an error of ours."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A fresh page; the test fails if our code complained on its console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=2)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()

    def hear(message: ConsoleMessage) -> None:
        place = message.location.get("url", "")
        ours = "bgdl" in message.text or "bgdl" in place
        # A server that is down is the subject of some tests, not an error of the page.
        signs = ("ERR_CONNECTION", "WebSocket connection", "503 (Service Unavailable)")
        down = any(sign in message.text for sign in signs)
        if message.type == "error" and ours and not down:
            complaints.append(message.text)

    def broke(error: Error) -> None:
        if "bgdl" in f"{error.stack}":
            complaints.append(str(error))

    page.on("console", hear)
    page.on("pageerror", broke)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def shots() -> Path:
    """Where screenshots are kept."""
    SHOTS.mkdir(exist_ok=True)
    return SHOTS
