"""Worker and server are killed in every phase of a transfer; the bytes stay identical."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.jupyter import JupyterServer

SIZE = 200_000_000
RATE = 80_000_000.0
"""Bytes a second: what may be fetched again after a kill is one second of it."""

BODY = content(SIZE)
LONG = os.environ.get("SOAK") == "long"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan"
    path.touch()
    return path


@pytest.fixture
def jupyter(tmp_path: Path, plan: Path) -> Iterator[JupyterServer]:
    saboteur = str(Path(__file__).parent / "saboteur")
    environment = {
        "BGDL_SABOTAGE": str(plan),
        "PYTHONPATH": os.pathsep.join(filter(None, [saboteur, os.environ.get("PYTHONPATH")])),
    }
    with JupyterServer(tmp_path / "jupyter", environment=environment) as server:
        yield server


class Saboteur:
    """Kills the victim once in every phase of one download and keeps the score."""

    def __init__(self, jupyter: JupyterServer, files: FileServer, plan: Path, victim: str) -> None:
        self.jupyter, self.files, self.plan, self.victim = jupyter, files, plan, victim
        self.kills: collections.Counter[str] = collections.Counter()
        self.again: list[int] = []
        """Bytes that were fetched a second time, per kill."""
        self._wheres = itertools.cycle(["before", "after"])

    def download(self, number: int) -> None:
        name = f"{self.victim}-{number}.bin"
        url = self.files.add(name, BODY, rate=RATE, before_headers=threading.Event())
        resource = self.files[name]
        digest = f"sha256:{resource.sha256}"
        spec = {"request": {"url": url}, "destination": f"{self.jupyter.root}/{name}"}
        self.jupyter.post("bgdl/sessions/kills/tasks", {"tasks": [{**spec, "checksum": digest}]})

        self.files.wait_for(lambda: len(resource.requests) == 1)
        self._kill("headers")
        self.files.wait_for(lambda: len(resource.requests) == 2)
        gate = resource.before_headers
        assert gate
        resource.before_headers = None
        gate.set()
        stop_at = SIZE // 4 + number * 1_000_003
        self.files.wait_for(lambda: resource.reached >= stop_at)
        self._kill("body")
        where = next(self._wheres)
        for phase in ("fsync", "intent", "publish", "commit"):
            self._arm(f"{where}-{phase}")
            self.kills[phase] += 1
        self._finish(number)

        self.again += [
            max(0, before[1] - after[0]) for before, after in itertools.pairwise(resource.spans)
        ]
        path = self.jupyter.root / name
        assert_identical(path, BODY)
        assert [p.name for p in self.jupyter.root.iterdir() if p.suffix == ".part"] == []
        path.unlink()

    def _victim(self) -> psutil.Process:
        server = psutil.Process(self.jupyter.pid)
        if self.victim == "server":
            return server
        return next(
            child
            for child in server.children()
            if "jupyter_bgdl.engine.worker" in " ".join(child.cmdline())
        )

    def _kill(self, phase: str) -> None:
        self._victim().send_signal(signal.SIGKILL)
        self.kills[phase] += 1
        self._revive()

    def _revive(self) -> None:
        if self.victim == "server":
            assert self.jupyter.process
            self.jupyter.process.wait()
            self.jupyter.start()

    def _arm(self, phase: str) -> None:
        with self.plan.open("a") as plan:
            plan.write(f"{phase} {self.victim}\n")

    def _finish(self, number: int) -> None:
        """Until the task is done and every planned kill has happened."""
        deadline = time.monotonic() + 120
        while True:
            assert self.jupyter.process
            if self.jupyter.process.poll() is not None:
                self._revive()
            with contextlib.suppress(OSError):
                task = self.jupyter.task("kills", number)
                if task["state"] == "completed":
                    assert task["error"] is None
                    assert task["verified"]
                    # The last kill comes after the report that completes the task.
                    if self.plan.read_text() == "":
                        return
            assert time.monotonic() < deadline, self.plan.read_text()
            time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("victim", "downloads"), [("worker", 20 if LONG else 6), ("server", 3)])
def test_P1_P2_killed_in_every_phase_identical_bytes(
    jupyter: JupyterServer, files: FileServer, plan: Path, victim: str, downloads: int
) -> None:
    # In segments, what is fetched again can't be told from the order of the answers.
    jupyter.attach("kills", maximum_connections_per_host=1)
    saboteur = Saboteur(jupyter, files, plan, victim)
    for number in range(1, downloads + 1):
        saboteur.download(number)
    print(f"\nkills of the {victim}: {dict(saboteur.kills)}")
    print(
        f"bytes fetched again per kill: mean {sum(saboteur.again) // len(saboteur.again):,}",
        end=", ",
    )
    print(f"most {max(saboteur.again):,}")
    assert min(saboteur.kills.values()) >= downloads
    assert max(saboteur.again) <= max(8 * 2**20, RATE)
