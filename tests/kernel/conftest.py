"""Real kernels of both supported ipykernel generations, driven over their own channels."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from support.fileserver import FileServer
from support.jupyter import JupyterServer
from support.jupyter import Kernel as ServedKernel

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 12.0
"""Seconds that anything awaited from a kernel may take."""


def _load_venvs() -> Any:
    # importlib import mode puts no test folder on the path.
    spec = importlib.util.spec_from_file_location("venvs", Path(__file__).with_name("venvs.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kernel:
    """A running kernel; every message that it publishes is kept in ``messages``."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.messages: list[dict[str, Any]] = []

    def send(self, code: str, *, silent: bool = False, stop_on_error: bool = True) -> str:
        """Queues a cell; returns its message id."""
        identifier: str = self.client.execute(code, silent=silent, stop_on_error=stop_on_error)
        return identifier

    def run(self, code: str, *, silent: bool = False) -> str:
        """Runs a cell to its end; returns what it printed. A cell that raises fails the test."""
        identifier = self.send(code, silent=silent)
        self.ended(identifier)
        errors = self.of(identifier, "error")
        assert not errors, "\n".join(errors[0]["content"]["traceback"])
        return self.text(identifier)

    def ended(self, identifier: str) -> None:
        """Awaits the *idle* that ends a request."""
        self.expect(lambda: "idle" in self.states(identifier))

    def expect(self, done: Callable[[], bool], limit: float = LIMIT) -> None:
        """Reads messages until ``done()``."""
        end = time.monotonic() + limit
        while not done():
            try:
                message = self.client.get_iopub_msg(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not within {limit} s; {self.summary()}") from None
            self.messages.append(message)

    def printed(self, text: str) -> None:
        """Awaits a text on the kernel's stdout, from whomever."""
        self.expect(lambda: text in self.text())

    def of(self, identifier: str | None, kind: str) -> list[dict[str, Any]]:
        return [
            m
            for m in self.messages
            if m["msg_type"] == kind and identifier in (None, m["parent_header"].get("msg_id"))
        ]

    def text(self, identifier: str | None = None) -> str:
        return "".join(m["content"]["text"] for m in self.of(identifier, "stream"))

    def states(self, identifier: str) -> list[str]:
        return [m["content"]["execution_state"] for m in self.of(identifier, "status")]

    def summary(self) -> str:
        return repr([(m["msg_type"], m["content"]) for m in self.messages[-12:]])

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()


@contextmanager
def _running(python: Path, home: Path) -> Iterator[Kernel]:
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="test",
        language="python",
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "BGDL"))}
    folders = {name: str(home / name) for name in ("data", "config", "runtime", "ipython")}
    manager.start_kernel(
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "JUPYTER_DATA_DIR": folders["data"],
            "JUPYTER_CONFIG_DIR": folders["config"],
            "JUPYTER_RUNTIME_DIR": folders["runtime"],
            "IPYTHONDIR": folders["ipython"],
        },
        cwd=str(home),
    )
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=LIMIT)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


@pytest.fixture(scope="session")
def python_629() -> Path:
    """An interpreter with ipykernel 6.29."""
    python: Path = _load_venvs().python_with_ipykernel_629()
    return python


@pytest.fixture(scope="module")
def spec_629(python_629: Path, jupyter: JupyterServer) -> str:
    """Name of a kernel specification, known to the server, of another virtual environment."""
    folder = jupyter.home / "data" / "kernels" / "other"
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [str(python_629), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Another environment",
        "language": "python",
        "env": {"PYTHONPATH": str(ROOT)},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder.name


@pytest.fixture(params=["ipykernel7", "ipykernel629"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kernel]:
    """A fresh kernel, once per generation of ipykernel."""
    if request.param == "ipykernel7":
        python = Path(sys.executable)
    else:
        python = request.getfixturevalue("python_629")
    with _running(python, tmp_path) as kernel:
        yield kernel


@pytest.fixture
def kernel7(tmp_path: Path) -> Iterator[Kernel]:
    """A fresh kernel of ipykernel 7."""
    with _running(Path(sys.executable), tmp_path) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """One real server for a file's tests, which keep apart by notebook and session."""
    with JupyterServer(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    """One file server for a file's tests, which keep apart by the names of their files."""
    with FileServer() as server:
        yield server


class Notebooks:
    """Kernels of the server, by notebook; those that still run are shut down at the end."""

    def __init__(self, server: JupyterServer, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._open: list[ServedKernel] = []

    def open(self, name: str = "a", kernel_name: str = "python3") -> ServedKernel:
        kernel = self._server.start_kernel(f"{self._prefix}-{name}.ipynb", kernel_name)
        self._open.append(kernel)
        return kernel

    def shut_down(self, kernel: ServedKernel) -> None:
        self._open.remove(kernel)
        kernel.shutdown()

    def close(self) -> None:
        for kernel in self._open:
            kernel.shutdown()


@pytest.fixture
def notebooks(jupyter: JupyterServer, request: pytest.FixtureRequest) -> Iterator[Notebooks]:
    """``notebooks.open()`` starts a kernel for a notebook of this test."""
    opened = Notebooks(jupyter, request.node.name.replace("[", "-").replace("]", ""))
    try:
        yield opened
    finally:
        opened.close()
