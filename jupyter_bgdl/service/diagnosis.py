"""What helps somebody who looks for a fault from afar: facts and decisions, and no secrets.

What callbacks printed is left out, since nobody knows what it holds. What the server wrote into the
logs of sessions, and the views, name no header, userinfo or query value.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from jupyter_bgdl import owner_file
from jupyter_bgdl.model import PROTOCOL
from jupyter_bgdl.service.conditions import on_battery
from jupyter_bgdl.service.engagements import Engagements
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.sessions import Sessions, shown_options
from jupyter_bgdl.service.views import Row, Views

_PACKAGES = (
    "jupyter_bgdl", "jupyter_server", "jupyter_client", "jupyter_core", "jupyterlab", "notebook",
    "ipykernel", "tornado", "httpx", "msgspec", "traitlets",
)  # fmt: skip
_SESSIONS = 100
"""The newest sessions that are told of one by one."""
_LINES = 200
"""The newest lines of the server in each session's log."""
_KINDS = 20
"""Kinds of reasons for which tasks of a session wait, or failed, that are counted."""


class Diagnosis:
    """Lives in the service thread; changes nothing."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        views: Views,
        engagements: Engagements,
        settings: Settings,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._views = views
        self._engagements = engagements
        self._settings = settings

    def document(self, user: str) -> dict[str, Any]:
        """One JSON document about this server and the user's sessions."""
        rows = self._ledger.all("sessions", user=user)
        return {
            "made_at": time.time(),
            "protocol": PROTOCOL,
            "versions": _versions(),
            "platform": _platform(),
            "limits": msgspec.to_builtins(self._settings),
            "ledger": self._ledger_facts(),
            "conditions": self._conditions(),
            "moving": self._engagements.moving,
            "sessions_in_all": len(rows),
            "sessions": [self._session(row) for row in rows[-_SESSIONS:]],
        }

    def _ledger_facts(self) -> dict[str, Any]:
        owner = owner_file.read(self._ledger.owner_path)
        try:
            size = self._ledger.path.stat().st_size
        except OSError:
            size = None
        return {
            "path": str(self._ledger.path),
            "size": size,
            "clock": self._ledger.clock(),
            "owner": None if owner is None else msgspec.to_builtins(owner),
        }

    def _conditions(self) -> dict[str, Any]:
        load = os.getloadavg() if hasattr(os, "getloadavg") else None
        on = on_battery(Path(self._settings.power_supply))
        return {"load": load, "cores": os.cpu_count(), "on_battery": on}

    def _session(self, row: Row) -> dict[str, Any]:
        key = row["id"]
        lines = self._ledger.all("newest_server_lines", session=key, limit=_LINES)
        return {
            "view": msgspec.to_builtins(self._views.session(row)),
            "options": shown_options(self._sessions.options(row)),
            "epoch": row["epoch"],
            "ending": bool(row["ending"]),
            "unattended": bool(row["unattended"]),
            "answers": msgspec.json.decode(row["answers"]),
            "environment": msgspec.json.decode(row["environment"]),
            "waiting": self._ledger.all("waiting_kinds", session=key, limit=_KINDS),
            "failed": self._ledger.all("failed_kinds", session=key, limit=_KINDS),
            "log": lines[::-1],
        }


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": sys.version, "sqlite": sqlite3.sqlite_version}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _platform() -> dict[str, str]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
    }
