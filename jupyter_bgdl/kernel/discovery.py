"""Finds the Jupyter server that moves this kernel's transfers.

    server_url=, token=  →  the credentials file  →  a hub's variables  →  the running server

The credentials file is named by an environment variable that the extension gives to the kernels
that its server starts. Where another server of the same user has the ledger, the kernel speaks to
that one (fault P6). The last way serves kernels of a server whose extension came later.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jupyter_bgdl import owner_file, process
from jupyter_bgdl.errors import ServerNotFound
from jupyter_bgdl.model import ENVIRONMENT, TOKEN_HEADER, Credentials, credentials_name

_NO_SERVER = (
    "No Jupyter server was found. In a notebook: restart the kernel, so that it learns of its "
    "server. In a script: pass server_url= and token=."
)

_GONE = (
    "The Jupyter server that started this kernel is gone. Restart the kernel under a running "
    "server, or pass server_url= and token=."
)

_ON_SOCKET = (
    "The Jupyter server listens on a Unix socket (ServerApp.sock), which kernels can't reach. "
    "Start it with ServerApp.ip and ServerApp.port instead."
)


@dataclass(frozen=True)
class Server:
    """Where the server is and what lets us in. ``url`` ends with a slash."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    certificate: str | None = None
    """PEM file of the only certificate to trust."""


def find_server(server_url: str | None = None, token: str | None = None) -> Server:
    """The server to speak to. Raises ServerNotFound."""
    if server_url is not None:
        return _explicit(server_url, token)
    path = os.environ.get(ENVIRONMENT)
    if path and Path(path).exists():
        return _from_credentials(Path(path))
    if (url := os.environ.get("JUPYTERHUB_SERVICE_URL")) and (
        hub_token := os.environ.get("JUPYTERHUB_API_TOKEN")
    ):
        return _explicit(url, token or hub_token)
    if pid := os.environ.get("JPY_PARENT_PID"):
        return _running(pid, token)
    raise ServerNotFound(_GONE if path else _NO_SERVER)


def _explicit(url: str, token: str | None) -> Server:
    if not url.startswith(("http://", "https://")):
        raise ServerNotFound(f"server_url= has to begin with http:// or https://, not {url!r}.")
    headers = {"Authorization": f"token {token}"} if token else {}
    return Server(url.rstrip("/") + "/", headers)


def _from_credentials(path: Path) -> Server:
    credentials = _credentials(path)
    if (other := _ledger_owner(credentials)) is not None:
        beside = path.with_name(credentials_name(other))
        if beside.exists():
            credentials = _credentials(beside)
    if not credentials.url:
        raise ServerNotFound(_ON_SOCKET)
    return Server(
        credentials.url, {TOKEN_HEADER: credentials.token}, certificate=credentials.certificate
    )


def _credentials(path: Path) -> Credentials:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except (OSError, msgspec.MsgspecError) as error:
        raise ServerNotFound(f"The credentials file {path} can't be read: {error}") from error


def _ledger_owner(own: Credentials) -> int | None:
    """The process of another living server of this host, if that has the ledger."""
    owner = owner_file.read(Path(own.ledger_owner)) if own.ledger_owner else None
    if owner is None or owner.pid == own.pid or owner.host != process.host():
        return None
    return owner.pid if process.process_started(owner.pid) is not None else None


def _running(pid: str, token: str | None) -> Server:
    """By the file that a Jupyter server leaves in the runtime folder."""
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(jupyter_runtime_dir()) / f"jpserver-{pid}.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        return _explicit(str(info["url"]), token or str(info["token"]))
    except (OSError, ValueError, KeyError) as error:
        raise ServerNotFound(_GONE) from error
