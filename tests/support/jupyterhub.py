"""A real JupyterHub with its proxy: two users, each with a server, a home and a ledger.

The hub has an environment of its own (``make setup`` builds it); its users' servers and kernels
see the project's, as on a hub whose image has the extension.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.jupyter import Kernel

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venvs" / "hub"
PROXY = ROOT / "tests/support/hub/node_modules/.bin/configurable-http-proxy"
PASSWORD = "any-password"

OWNER, VISITOR = "alice", "bob"
"""The visitor may open the owner's server, too, and only look; the owner not the visitor's."""

_CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}/"
c.JupyterHub.hub_port = {ports[1]}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.db_url = "sqlite:///{home}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{home}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.cmd = ["{environment}/bin/jupyterhub-singleuser"]
c.Spawner.args = ["--allow-root", "--ServerApp.config_file={home}/single_user.py"]
c.Spawner.environment = {{
    "JUPYTER_CONFIG_PATH": "{project}/etc/jupyter",
    "JUPYTER_PATH": "{project}/share/jupyter",
    "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
}}
c.JupyterHub.services = [{{"name": "tests", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{
        "name": "tests",
        "services": ["tests"],
        "scopes": ["admin:users", "admin:servers", "tokens", "list:users", "read:users:activity"],
    }},
    {{"name": "visit", "users": ["bob"], "scopes": ["access:servers!server=alice/"]}},
]
"""

_SINGLE_USER = """
import os
from jupyterhub.singleuser.extension import JupyterHubAuthorizer

class VisitorsRead(JupyterHubAuthorizer):
    def is_authorized(self, handler, user, action, resource):
        if not super().is_authorized(handler, user, action, resource):
            return False
        return action == "read" or user.username in ("kernel", os.environ["JUPYTERHUB_USER"])

c.ServerApp.authorizer_class = VisitorsRead
"""


class Hub:
    """``with Hub(folder) as hub: hub.start_server("alice")``; the log is ``folder/hub.log``."""

    def __init__(self, home: Path) -> None:
        if not ENVIRONMENT.joinpath("bin", "jupyterhub").exists() or not PROXY.exists():
            pytest.skip("JupyterHub is not installed: make setup")
        self.home = home
        self.log = home / "hub.log"
        ports = _free_ports(3)
        self.url = f"http://127.0.0.1:{ports[0]}/"
        self.token = secrets.token_hex(16)
        self._api = f"http://127.0.0.1:{ports[1]}/hub/api/"
        self._process: subprocess.Popen[bytes] | None = None
        home.joinpath("hub.py").write_text(
            _CONFIG.format(
                ports=ports,
                proxy=str(PROXY),
                home=home,
                password=PASSWORD,
                environment=ENVIRONMENT,
                project=ROOT / ".venv",
                token=self.token,
            )
        )
        home.joinpath("single_user.py").write_text(_SINGLE_USER)

    def __enter__(self) -> Hub:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))},
            "PATH": f"{ENVIRONMENT}/bin:{os.environ['PATH']}",
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [ENVIRONMENT / "bin" / "jupyterhub", "-f", self.home / "hub.py"],
                cwd=self.home,
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            self.until(self._answers, "the hub did not start")
            self.ask("POST", f"users/{OWNER}")  # The visitor's role has made the visitor.
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + "hub/api/", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def until(self, condition: Callable[[], bool], words: str, timeout: float = 60.0) -> None:
        """Poll a process that tells nobody. Raises AssertionError."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert self._process
            assert self._process.poll() is None, f"{words}:\n{self.logged()}"
            assert time.monotonic() < deadline, f"{words}:\n{self.logged()}"
            time.sleep(0.1)

    def logged(self) -> str:
        """The end of the hub's log and of its servers'."""
        return self.log.read_text(errors="replace")[-6000:]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The hub's own API, not through the proxy: that would count as activity."""
        headers = {"Authorization": f"token {self.token}"}
        answer = httpx.request(
            method, self._api + path, json=body, headers=headers, timeout=60, trust_env=False
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def runs(self, name: str) -> bool:
        return bool(self.ask("GET", f"users/{name}")["servers"].get("", {}).get("ready"))

    def is_stopped(self, name: str) -> bool:
        return "" not in self.ask("GET", f"users/{name}")["servers"]

    def last_activity(self, name: str) -> float:
        """Of the user's server, as its culler sees it, in seconds since the epoch; 0: it has
        stopped."""
        server = self.ask("GET", f"users/{name}")["servers"].get("", {})
        told = server.get("last_activity") if server.get("ready") else None
        return datetime.fromisoformat(told).timestamp() if told else 0.0

    def start_server(self, name: str) -> None:
        """Returns when it is ready."""
        if not self.runs(name):
            self.ask("POST", f"users/{name}/server")
        self.until(lambda: self.runs(name), f"{name}'s server did not start")

    def stop_server(self, name: str) -> None:
        """As *Stop My Server* does; returns when it is gone."""
        self.ask("DELETE", f"users/{name}/server")
        self.until(lambda: self.is_stopped(name), f"{name}'s server did not stop")

    def cull(self, timeout: int) -> subprocess.Popen[bytes]:
        """The idle culler, which stops servers that were idle for ``timeout`` seconds."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    *(ENVIRONMENT / "bin" / "python", "-m", "jupyterhub_idle_culler"),
                    *(f"--url={self._api.rstrip('/')}", f"--timeout={timeout}", "--cull-every=1"),
                ],
                env={**os.environ, "JUPYTERHUB_API_TOKEN": self.token},
                stdout=log,
                stderr=log,
            )

    def home_of(self, name: str) -> Path:
        return self.home / name

    def script(self, name: str, of: str) -> httpx.Client:
        """``of``'s server through the proxy, with a token of the user ``name``."""
        token = self.ask("POST", f"users/{name}/tokens", {"note": "tests"})["token"]
        return httpx.Client(
            base_url=f"{self.url}user/{of}/",
            headers={"Authorization": f"token {token}"},
            trust_env=False,
            timeout=30,
        )

    @contextmanager
    def page(self, name: str, of: str) -> Iterator[httpx.Client]:
        """``of``'s server as a page that the user ``name`` has open, if the hub lets them: logged
        in by form, cookies, XSRF, Origin."""
        with httpx.Client(
            base_url=f"{self.url}user/{of}/", follow_redirects=True, trust_env=False, timeout=30
        ) as client:
            form = client.get(self.url + "hub/login")
            found = re.search(r'name="_xsrf" value="([^"]*)"', form.text)
            fields = {"username": name, "password": PASSWORD, "_xsrf": found[1] if found else ""}
            client.post(self.url + "hub/login", data=fields).raise_for_status()
            asked = client.get("lab")
            if asked.url.path == "/hub/api/oauth2/authorize" and asked.is_success:
                # Somebody else's server: the hub asks whether that is meant.
                given = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text)
                fields = {"_xsrf": dict(given)["_xsrf"]}
                scopes = [value for name, value in given if name == "scopes"]
                client.post(asked.url, data={**fields, "scopes": scopes}).raise_for_status()
            for cookie in client.cookies.jar:
                if cookie.name == "_xsrf" and cookie.path == f"/user/{of}/":
                    client.headers["X-XSRFToken"] = str(cookie.value)
            client.headers["Origin"] = self.url.rstrip("/")
            yield client

    def start_kernel(self, name: str) -> Kernel:
        """A kernel of the user's own server, asked for through the proxy."""
        runtime = self.home_of(name) / ".local/share/jupyter/runtime"
        server: Any = _Server(runtime, lambda: self.script(name, name))
        return Kernel(server, server.request("POST", "api/kernels", {"name": "python3"})["id"])


class _Server:
    """What a :class:`Kernel` needs of its server."""

    def __init__(self, runtime: Path, client: Callable[[], httpx.Client]) -> None:
        self.runtime = runtime
        self._client = client

    def request(self, method: str, path: str, body: Any = None) -> Any:
        with self._client() as client:
            answer = client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
