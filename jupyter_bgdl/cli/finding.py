"""Finds the running server: as a kernel does, else by the credentials files that servers leave."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from jupyter_core.paths import jupyter_runtime_dir

from jupyter_bgdl.errors import ServerNotFound
from jupyter_bgdl.kernel.connection import FALLBACK, Connection
from jupyter_bgdl.model import ENVIRONMENT, Credentials


def connection(server_url: str | None, token: str | None) -> Connection:
    """To the server, checked. Raises ServerNotFound, ExtensionMissing or IncompatibleServer."""
    # A command has no transfers of its own, so there is nothing to fall back to.
    os.environ.pop(FALLBACK, None)
    found = _connect(server_url, token)
    found.check()
    return found


def _connect(server_url: str | None, token: str | None) -> Connection:
    if server_url is None and not Path(os.environ.get(ENVIRONMENT, "")).is_file():
        running = _running()
        if len(running) > 1:
            addresses = ", ".join(sorted(running.values()))
            raise ServerNotFound(
                f"Several Jupyter servers are running: {addresses}. Say which with --server-url "
                "and --token."
            )
        if running:
            os.environ[ENVIRONMENT] = str(next(iter(running)))
    try:
        return Connection(server_url, token)
    except ServerNotFound as error:
        if server_url is not None:
            raise
        raise ServerNotFound(
            "No running Jupyter server with jupyter_bgdl was found. Start one (jupyter lab), or "
            "say where it is with --server-url and --token."
        ) from error


def _running() -> dict[Path, str]:
    """Credentials files of servers of this user that are alive, and their addresses."""
    found = {}
    for path in Path(jupyter_runtime_dir()).glob("bgdl-*.json"):
        try:
            credentials = msgspec.json.decode(path.read_bytes(), type=Credentials)
            os.kill(credentials.pid, 0)
        except (OSError, msgspec.MsgspecError):
            continue  # It is being written, or its server was killed.
        found[path] = credentials.url
    return found
