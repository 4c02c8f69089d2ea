"""The power goes while files arrive: ledger, parts and destination are on a disk that is cut off.

After each cut, before anything is started again, the ledger is read as the cut left it. What it
claims has to be there: extents with the right bytes, completed tasks with their files. What a
client had been told is completed has to be so still.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.disks import LoopDisk
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station

SIZES = (4_000_000, 9_000_000, 24_000_000)
"""Bytes; the last is worth more than one connection."""
RATE = 8_000_000.0


class Outage:
    """Downloads to a disk that loses power again and again."""

    def __init__(self, disk: LoopDisk, files: FileServer, home: Path) -> None:
        self.disk, self.files, self.home = disk, files, home
        self.out = disk.folder / "out"
        self.bodies: dict[str, bytes] = {}
        """What is being fetched now."""
        self.files_begun = 0
        self.told: set[int] = set()
        """Tasks that a client was told are completed."""
        self.station = Station(home, state=disk.folder / "state")
        self.extents = self.published = 0
        """What the ledgers claimed after the cuts: extents, and published files."""

    def cut_at(self, seconds: float) -> None:
        """Let it run, cut the power, look at what is left."""
        self.station.start()
        self.tell()
        if len(self.told) == len(self.bodies):
            self.next_files()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.tell()
            time.sleep(0.02)
        self.disk.cut()
        self.station.kill()
        self.disk.power_up()
        self.check()

    def next_files(self) -> None:
        """The last ones are all there: make room, and fetch others."""
        for name in self.bodies:
            (self.out / name).unlink()
        for number in self.told:
            self.station.call("remove", number=number)
        self.told.clear()
        self.bodies.clear()
        for size in SIZES:
            self.files_begun += 1
            name = f"{self.files_begun}.bin"
            self.bodies[name] = content(size, self.files_begun)
            url = self.files.add(name, self.bodies[name], rate=RATE)
            self.station.submit(url, self.out / name)

    def tell(self) -> None:
        for task in self.station.call("tasks"):
            assert task["error"] is None, task
            if task["state"] == "completed":
                self.told.add(task["task_identifier"])

    def check(self) -> None:
        """Nothing that the ledger claims is missing or wrong."""
        copy = self.home / "ledger"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.disk.folder / "state", copy)
        with closing(sqlite3.connect(copy / "ledger.db")) as ledger:
            ledger.row_factory = sqlite3.Row
            rows = ledger.execute("SELECT * FROM tasks").fetchall()
        assert {row["number"] for row in rows} >= self.told
        assert len(rows) == len(self.bodies), "a task that was accepted is gone"
        for row in rows:
            body = self.bodies[row["name"]]
            if row["phase"] == "completed":
                assert_identical(row["path"], body)
                self.published += 1
                continue
            assert row["number"] not in self.told, "a commit was lost"
            target = self.out / row["name"]
            if target.exists():
                assert row["phase"] == "finishing"
                assert_identical(target, body)
                continue
            for start, end in json.loads(row["extents"]):
                with Path(row["part_path"]).open("rb") as part:
                    part.seek(start)
                    assert part.read(end - start) == body[start:end], (start, end)
                self.extents += 1

    def finish(self) -> None:
        with self.station:
            for task in self.station.call("tasks"):
                assert self.station.wait(task["task_identifier"])["error"] is None
        for name, body in self.bodies.items():
            assert_identical(self.out / name, body)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_P3_P4_P5_the_power_goes_again_and_again(
    kind: str, tmp_path: Path, files: FileServer, count: dict[str, int], chance: random.Random
) -> None:
    with LoopDisk(kind, tmp_path) as disk:
        outage = Outage(disk, files, tmp_path / "home")
        try:
            for _ in range(count["cuts"]):
                outage.cut_at(chance.uniform(0.3, 3.5))
            outage.finish()
        finally:
            outage.station.stop()
    assert outage.extents + outage.published > 0, "no cut came while anything was claimed"
    print(
        f"power cuts on {kind}: {count['cuts']}; files {outage.files_begun}, "
        f"claims checked: {outage.extents} extents, {outage.published} published files"
    )
