"""The worker is killed at random system calls; every download ends with identical bytes.

strace delivers SIGKILL as the worker enters the n-th call of a kind. The phase of each kill is
read from the calls before it: a kill in ``body`` is one of many that look alike, one in
``publish`` hits a moment that lasts microseconds.
"""

from __future__ import annotations

import collections
import contextlib
import random
import re
import threading
import time
from pathlib import Path

import pytest
from support.disks import need
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station
from support.tracer import Tracer, threads

SMALL, LARGE = 2_000_000, 24_000_000
"""Bytes of a file; a large one is worth more than one connection."""

RATES = {SMALL: 12e6, LARGE: 5e6}
"""Bytes a second and connection."""

CALLS = {
    "connect": (1,),
    "sendto": (1, 2, 3, 4, 5),
    "recvfrom": range(1, 60),
    "openat": (1, 2),
    "pwrite64": (1,),
    "splice": range(1, 60),
    "fdatasync": (1,),
    "fchmod": (1,),
    "fsync": (1, 2),
    "renameat2": (1,),
    "fstat": (1, 2, 3),
    "newfstatat": (1, 2, 3, 4),
}
"""What it is killed at, and at which occurrence in a thread."""

DECK = [*CALLS, "sendto", "sendto"]
"""What it says is what the phases are told apart by: more often."""

WRITES = ("pwrite64", "splice")
"""The first chunk is written, the rest goes from the socket through a pipe."""

PHASES = ("headers", "body", "fsync", "intent", "publish", "commit")


def phase_of(calls: list[str], is_finishing: bool) -> str:
    """The phase that the last of these calls belongs to; ``is_finishing``: the ledger had the
    intent. What the worker does is done in one order (``transfer.py``, ``publish.py``)."""
    *before, last = calls
    if is_finishing:
        # The folder is synced, then it is told.
        return "commit" if last == "sendto" and "fsync" in before else "publish"
    writes = [index for index, call in enumerate(before) if call in WRITES]
    if not writes:
        return "headers"
    if last in ("fdatasync", "fsync"):
        return "fsync"
    is_synced = "fdatasync" in before[writes[-1] :]
    return "intent" if is_synced and last not in WRITES else "body"


class Executioner:
    """Downloads files through a worker that never gets old."""

    def __init__(self, station: Station, files: FileServer, chance: random.Random) -> None:
        self.station, self.files, self.chance = station, files, chance
        self.kills: collections.Counter[str] = collections.Counter()
        self._deck: list[str] = []
        self._attached = 0
        self.downloads = 0
        self.segmented = 0
        """Downloads that took several connections."""

    def download(self, folder: Path) -> None:
        """One file, with kills until it is there."""
        self.downloads += 1
        number, size = self.downloads, LARGE if self.downloads % 3 == 0 else SMALL
        body = content(size, number)
        name = f"{number}.bin"
        url = self.files.add(name, body, rate=RATES[size], before_headers=threading.Event())
        tracer = self._attach()
        self.station.submit(url, folder / name)
        while (view := self.station.task(number))["state"] != "completed":
            tracer = self._go_on(name, number, tracer)
        tracer.detach()
        assert view["error"] is None, view
        assert_identical(folder / name, body)
        self.segmented += any(
            re.fullmatch(r"bytes=\d+-\d+", request.get("range", ""))
            for request in self.files[name].requests
        )
        (folder / name).unlink()

    def _go_on(self, name: str, number: int, tracer: Tracer) -> Tracer:
        """Until the task is completed, or the worker killed and the next one traced."""
        gate = self.files[name].before_headers
        assert gate
        gate.set()
        while tracer.is_attached:
            if self.station.task(number)["state"] == "completed":
                return tracer
            time.sleep(0.01)
        # The next worker's answer is held until it is traced, too.
        self.files[name].before_headers = threading.Event()
        following = self._attach()
        phase = self.station.until(lambda view: view["phase"] != "waiting", number)["phase"]
        self.kills[phase_of(tracer.calls(), phase in ("finishing", "completed"))] += 1
        return following

    def _attach(self) -> Tracer:
        """To the worker, once it serves: its threads are there."""
        if not self._deck:
            self._deck = DECK.copy()
            self.chance.shuffle(self._deck)
        call = self._deck.pop()
        self._attached += 1
        log = self.station.home / f"strace-{self._attached % 2}.log"
        inject = f"{call}:signal=KILL:when={self.chance.choice(CALLS[call])}"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            pid = self.station.worker
            if pid is not None and len(threads(pid)) >= 3:
                with contextlib.suppress(ProcessLookupError):
                    return Tracer(pid, list(CALLS), inject, log)
            time.sleep(0.01)
        raise TimeoutError("no worker came")


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_P1_killed_at_random_system_calls(
    tmp_path: Path, files: FileServer, count: dict[str, int], chance: random.Random
) -> None:
    need("strace")
    folder = tmp_path / "out"
    begun = time.monotonic()
    with Station(tmp_path / "home") as station:
        executioner = Executioner(station, files, chance)
        while executioner.kills.total() < count["kills"] or (
            len(executioner.kills) < len(PHASES) and executioner.kills.total() < 3 * count["kills"]
        ):
            executioner.download(folder)
    assert list(folder.iterdir()) == []
    kills = {phase: executioner.kills[phase] for phase in PHASES}
    print(
        f"kills of the worker: {executioner.kills.total()} in {time.monotonic() - begun:.0f} s, "
        f"by phase {kills}; files {executioner.downloads}, {executioner.segmented} of them in "
        "segments, all identical, and no part left behind"
    )
    assert min(kills.values()) > 0, kills
    assert executioner.segmented > 0
