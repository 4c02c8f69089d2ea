"""The ledger is damaged, of another version, on an odd file system, or its upgrade is killed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.disks import need, run, unmount
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station, StationError
from support.tracer import Tracer

from jupyter_bgdl.service.queries import migrations

SIZE = 3_000_000
BODY = content(SIZE)


@pytest.mark.parametrize("damage", ["noise", "cut", "empty"])
def test_P8_a_damaged_ledger_with_a_part_that_is_not_finished(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path, damage: str
) -> None:
    """The server starts with an empty one; the part stays, and what is submitted again arrives."""
    url = files.add("a.bin", BODY, hold_at=SIZE // 2)
    station = make_station()
    station.submit(url, tmp_path / "a.bin")
    station.until(lambda view: view["received"] >= SIZE // 4)
    station.stop()
    files.hold("a.bin", None)
    ledger = station.state / "ledger.db"
    bytes_ = ledger.read_bytes()
    ledger.write_bytes(
        {"noise": os.urandom(len(bytes_)), "cut": bytes_[: len(bytes_) // 2], "empty": b""}[damage]
    )
    station.start()
    assert station.call("tasks") == []
    assert len(list(tmp_path.glob(".*.part"))) == 1, "the part was left where it is"
    if damage != "empty":
        assert "damaged" in station.log.read_text()
        assert list(station.state.glob("ledger.db.corrupt-*"))
    station.submit(url, tmp_path / "a.bin")
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


def test_P9_the_ledgers_disk_fails_for_a_while(
    station: Station, files: FileServer, tmp_path: Path
) -> None:
    """Its syncs fail while the file arrives; nothing is told done before it is committed."""
    url = files.add("a.bin", BODY, hold_at=SIZE // 2)
    station.submit(url, tmp_path / "a.bin")
    station.until(lambda view: view["received"] >= SIZE // 4)
    assert station.process
    inject = "fdatasync:error=EIO"
    worker = station.worker
    assert worker
    os.kill(worker, 19)  # strace follows the service's children that are there, too
    tracer = Tracer(station.process.pid, ["fdatasync"], inject, tmp_path / "strace.log")
    os.kill(worker, 18)
    try:
        files.hold("a.bin", None)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert station.task()["state"] != "completed"
    finally:
        tracer.detach()
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


def test_P10_a_ledger_of_a_newer_version_is_refused(
    make_station: Callable[..., Station],
) -> None:
    station = make_station()
    station.stop()
    with closing(sqlite3.connect(station.state / "ledger.db", isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 99")
    before = (station.state / "ledger.db").read_bytes()
    with pytest.raises(StationError, match=r"newer version.*state_dir"):
        station.start()
    assert (station.state / "ledger.db").read_bytes() == before


LATER = "ALTER TABLE sessions ADD COLUMN later BLOB; CREATE INDEX later ON sessions (later);"
"""What some version to come may do to a ledger of this one; there is no upgrade yet."""


def _old_ledger(state: Path) -> None:
    """As version 1 left it, with a session that was paid for in hours."""
    state.mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(state / "ledger.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(migrations()[0] + "PRAGMA user_version = 1;")
        db.execute("INSERT OR IGNORE INTO ledger (id, opened, clock, wall) VALUES (1, 1, 0, 0)")
        for number in range(200):
            db.execute(
                "INSERT INTO sessions (user, identifier, options, created_at) VALUES (?,?,?,?)",
                ("server", f"session-{number}", b"{}", 1.0),
            )


def test_P10_an_upgrade_that_is_killed(tmp_path: Path) -> None:
    """At its every write and sync: each time, the next start has the old ledger or the new one."""
    need("strace")
    _old_ledger(tmp_path / "home" / "state")
    ledger = tmp_path / "home" / "state" / "ledger.db"
    kills = 0
    for call in ("pwrite64", "fdatasync", "unlink"):
        for when in range(1, 30):
            if not _upgrade_killed(tmp_path / "home", call, when):
                break
            kills += 1
            with closing(sqlite3.connect(ledger)) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert db.execute("SELECT count(*) FROM sessions").fetchone()[0] >= 200
                if db.execute("PRAGMA user_version").fetchone() != (1,):
                    ledger.unlink()
                    (tmp_path / "home" / "state").rename(tmp_path / f"done-{kills}")
                    _old_ledger(tmp_path / "home" / "state")
    assert kills >= 10
    subprocess.run([sys.executable, "-c", _UPGRADE, ledger.parent], check=True)
    with closing(sqlite3.connect(ledger)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(later), count(*) FROM sessions").fetchone() == (0, 200)
    before = ledger.with_name("ledger.db.version-1")
    assert before.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(before)) as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (200,)


_UPGRADE = f"""
import sys
from pathlib import Path
from jupyter_bgdl.service import ledger
schema = ledger.migrations()
ledger.migrations = lambda: (*schema, {LATER!r})
ledger.Ledger(Path(sys.argv[1])).open()
"""


def _upgrade_killed(home: Path, call: str, when: int) -> bool:
    """Open the ledger in a process that is killed at this call; False: it got through."""
    command = [
        *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"),
        *("-e", f"inject={call}:signal=KILL:when={when}", sys.executable, "-c", _UPGRADE),
    ]
    done = subprocess.run([*command, str(home / "state")], capture_output=True)
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode != 0


def test_P7_a_file_system_without_shared_memory(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path
) -> None:
    """A FUSE file system with direct I/O, like many network ones: exclusive locking needs none."""
    need("bindfs")
    real, shown = tmp_path / "real", tmp_path / "shown"
    real.mkdir()
    shown.mkdir()
    try:
        run("bindfs", "-o", "direct_io", real, shown)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cannot mount: {error.stderr.strip()}")
    try:
        station = make_station(state=shown / "state")
        station.submit(files.add("a.bin", BODY), shown / "a.bin")
        assert station.wait()["error"] is None
        assert_identical(shown / "a.bin", BODY)
        station.stop()
        station.start()
        assert station.task()["state"] == "completed"
        station.stop()
    finally:
        unmount(shown)


def test_P7_a_file_system_without_locks_is_refused(tmp_path: Path) -> None:
    """``fcntl`` locks fail as on an NFS mount whose lock daemon is gone."""
    need("strace")
    ledger = tmp_path / "home" / "state" / "ledger.db"
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fcntl", "-P", str(ledger)]
    station = Station(tmp_path / "home", prefix=[*strace, "-e", "inject=fcntl:error=ENOLCK"])
    with pytest.raises(StationError, match="state_dir"):
        station.start()
    station.stop()
