"""A real Jupyter server in a process of its own, and real kernels in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient

from jupyter_bgdl.model import PROTOCOL
from jupyter_bgdl.process import host, process_started

TOKEN = "integration-token"


class JupyterServer:
    """Starts, kills and restarts ``jupyter server`` over one set of folders.

    ``home`` receives ``root`` (notebooks), ``data``, ``runtime`` and ``config``, so that nothing
    of the person who runs the tests is read or written, and ``server.log``.
    """

    def __init__(
        self,
        home: Path,
        *,
        app: str = "server",
        environment: dict[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        port: int | None = 0,
        token: str = TOKEN,
    ) -> None:
        self.home = home
        self.token = token
        self.root = home / "root"
        self.runtime = home / "runtime"
        self.port = port
        self.arguments = arguments
        self.app = app
        for folder in (self.root, self.runtime, home / "data", home / "config"):
            folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))},
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "IPYTHONDIR": str(home / "ipython"),
            **(environment or {}),
        }
        self.log = home / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> JupyterServer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "jupyter", self.app, "--allow-root", "--no-browser"),
                    *([] if self.port is None else [f"--ServerApp.port={self.port}"]),
                    "--ServerApp.port_retries=0",
                    f"--ServerApp.root_dir={self.root}",
                    f"--IdentityProvider.token={self.token}",
                    *self.arguments,
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=self.root,
            )
        info = self.runtime / f"jpserver-{self.process.pid}.json"
        self._until(lambda: info.exists() and self._answers(info), "the server did not start")

    def _answers(self, info: Path) -> bool:
        try:
            self.url = json.loads(info.read_text())["url"].replace("localhost", "127.0.0.1")
            self.get("bgdl/sessions")
        except (ValueError, OSError):
            return False
        return True

    def _until(self, condition: Any, words: str, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.process
            assert self.process.poll() is None, f"{words}:\n{self.log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"{words}:\n{self.log.read_text()[-4000:]}"
            time.sleep(0.05)

    def stop(self) -> None:
        """As Ctrl-C twice would: orderly."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def request(self, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout) as response:
            text = response.read()
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.request("POST", path, body)

    def attach(self, session: str, **configuration: Any) -> dict[str, Any]:
        """Make the session, as a script that is this process would."""
        kernel = {
            "incarnation": f"test-{os.getpid()}",
            "pid": os.getpid(),
            "host": host(),
            "started": process_started(os.getpid()),
            "directory": str(self.root),
            "inode": self.root.stat().st_ino,
        }
        path = f"bgdl/sessions/{urllib.parse.quote(session, safe='')}/attach"
        body = {"protocol": PROTOCOL, "kernel": kernel, "configuration": configuration}
        return self.post(path, body)

    def task(self, session: str, number: int = 1) -> dict[str, Any]:
        return self.get(f"bgdl/sessions/{urllib.parse.quote(session, safe='')}/tasks/{number}")

    def start_kernel(self, notebook: str = "analysis.ipynb", name: str = "python3") -> Kernel:
        session = self.post(
            "api/sessions",
            {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": name}},
        )
        return Kernel(self, session["kernel"]["id"])


class Kernel:
    """A kernel of a :class:`JupyterServer`, spoken to over its own channels."""

    def __init__(self, server: JupyterServer, kernel_id: str) -> None:
        self.server = server
        self.id = kernel_id
        self.connect()

    def connect(self) -> None:
        self.client = BlockingKernelClient(
            connection_file=str(self.server.runtime / f"kernel-{self.id}.json")
        )
        self.client.load_connection_file()
        # A second, its default, is less than a kernel takes to start on a machine that is busy.
        self.client.hb_channel.time_to_dead = 30.0
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, timeout: float = 60.0) -> str:
        """Execute ``code`` and return what it printed and showed; fail as the cell fails."""
        out: list[str] = []

        def note(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                out.append(content["text"])
            elif message["msg_type"] in ("execute_result", "display_data"):
                out.append(content["data"].get("text/plain", ""))

        reply = self.client.execute_interactive(
            code, allow_stdin=False, timeout=timeout, output_hook=note
        )["content"]
        if reply["status"] != "ok":
            raise CellError(reply["ename"], reply["evalue"])
        return "".join(out)

    @property
    def pid(self) -> int:
        return int(self.run("import os; print(os.getpid())"))

    def restart(self) -> None:
        self.close()
        self.server.post(f"api/kernels/{self.id}/restart")
        self.connect()

    def shutdown(self) -> None:
        self.close()
        self.server.request("DELETE", f"api/kernels/{self.id}")

    def close(self) -> None:
        self.client.stop_channels()
        self.client.context.destroy(linger=0)


class CellError(Exception):
    """A cell raised."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"{name}: {value}")
        self.name = name
        self.value = value
