"""``owner.json``: who has the ledger open, for those who find it locked.

The fence on one host is SQLite's lock. Between hosts it is this file's heartbeat: while another
host's is younger than :data:`STALE` seconds, the ledger is not touched.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from jupyter_bgdl import process

STALE = 60.0
BEAT = 15.0
"""Seconds between heartbeats."""


class Owner(Struct, frozen=True):
    host: str
    """Host name and boot id."""
    pid: int
    url: str | None
    heartbeat: float
    """Seconds since the epoch."""

    def __str__(self) -> str:
        where = f" at {self.url}" if self.url else ""
        return f"process {self.pid} on {self.host.partition('/')[0]}{where}"

    @property
    def is_elsewhere_and_alive(self) -> bool:
        """It beats on another host. A heartbeat from the future counts as beating."""
        return (
            self.host.partition("/")[0] != process.host().partition("/")[0]
            and time.time() - self.heartbeat < STALE
        )


def path_in(state_dir: Path) -> Path:
    return state_dir / "owner.json"


def read(path: Path) -> Owner | None:
    """None: there is none, or it cannot be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None


def write(path: Path, url: str | None) -> None:
    """Atomically, readable by its owner only."""
    me = Owner(host=process.host(), pid=os.getpid(), url=url, heartbeat=time.time())
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, msgspec.json.encode(me))
    finally:
        os.close(fd)
    new.replace(path)
