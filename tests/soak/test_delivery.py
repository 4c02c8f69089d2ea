"""Every completion reaches a callback, whoever is killed meanwhile: kernel, server or websocket.

A delegate writes a line when a callback begins. Again may come only the one callback that a kernel
was in when it was killed. And no kernel handles anything once another one has begun to.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.fileserver import FileServer
from support.jupyter import JupyterServer, Kernel

SESSION = "soak"
RATE = 150
"""Completions a second, about."""
AHEAD = 400
"""Tasks that are handed in and not completed."""

CELL = """
import os, time
import jupyter_bgdl as bgdl
lines = os.open({calls!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

class Delegate(bgdl.SessionDelegate):
    def task_did_complete(self, session, task, error):
        line = f"{{task.task_identifier}} {{os.getpid()}} {{int(task.redelivered)}} {{error}}\\n"
        os.write(lines, line.encode())
        time.sleep(0.0005)

configuration = bgdl.SessionConfiguration.background({session!r})
configuration.maximum_connections_per_host = 16
session = bgdl.Session(configuration, Delegate())

def cut():
    session._channel._socket.protocol.stream.socket.shutdown(2)
"""


class Soak:
    """Hands tasks in, kills, and keeps the score."""

    def __init__(
        self, jupyter: JupyterServer, url: str, total: int, chance: random.Random, calls: Path
    ) -> None:
        self.jupyter, self.url, self.total, self.chance = jupyter, url, total, chance
        self.calls = calls
        self.share = total
        """How many are to be handed in before the next kill."""
        self.handed_in = 0
        self.killed: set[int] = set()
        """Kernels."""
        self.kills: Counter[str] = Counter()
        self.kernel: Kernel
        self.pid = 0

    def open_kernel(self) -> None:
        """As a person would who opens the notebook again and runs its cell."""
        self.kernel = self.jupyter.start_kernel()
        self.pid = self.kernel.pid
        self.kernel.run(CELL.format(calls=str(self.calls), session=SESSION))

    def hand_in(self) -> None:
        """As many as fit."""
        left = self.share - self.handed_in
        count = min(left, AHEAD - self.unfinished)
        if count < min(AHEAD // 4, left) or not count:
            return
        folder = self.jupyter.root / "files"
        specs = [
            {"request": {"url": self.url}, "destination": f"{folder}/{number}"}
            for number in range(self.handed_in, self.handed_in + count)
        ]
        self.jupyter.post(f"bgdl/sessions/{SESSION}/tasks", {"tasks": specs})
        self.handed_in += count

    @property
    def unfinished(self) -> int:
        counts = self.jupyter.get(f"bgdl/sessions/{SESSION}")["counts"]
        return int(sum(counts[name] for name in ("suspended", "waiting", "running")))

    def is_over(self) -> bool:
        view = self.jupyter.get(f"bgdl/sessions/{SESSION}")
        return view["counts"]["done"] == self.share and view["undelivered"] == 0

    def go_on(self, seconds: float) -> bool:
        """True: the share is done, and delivered."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.hand_in()
            if self.is_over():
                return True
            time.sleep(0.1)
        return False

    def kill_kernel(self) -> None:
        self._end_kernel()
        # Jupyter may be about to start it again, and then fails to end it.
        with contextlib.suppress(urllib.error.HTTPError):
            self.jupyter.request("DELETE", f"api/kernels/{self.kernel.id}")
        self.open_kernel()

    def kill_server(self) -> None:
        self.jupyter.kill()
        self._end_kernel()  # It would end by itself, without its server.
        self.jupyter.start()
        self.open_kernel()

    def cut_websocket(self) -> None:
        self.kernel.run("cut()")

    def _end_kernel(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            os.kill(self.pid, signal.SIGKILL)
            process.wait(20)
        self.killed.add(self.pid)
        self.kernel.close()

    def kill_something(self) -> None:
        ways: dict[str, Callable[[], None]] = {
            "kernel": self.kill_kernel,
            "server": self.kill_server,
            "websocket": self.cut_websocket,
        }
        # Each once, then at random.
        fresh = [name for name in ways if not self.kills[name]]
        name = self.chance.choice(fresh or list(ways))
        ways[name]()
        self.kills[name] += 1


class Score:
    """What the callbacks wrote."""

    def __init__(self, calls: Path, killed: set[int]) -> None:
        self.begun: Counter[int] = Counter()
        self.unmarked: list[str] = []
        """Came again without being marked, or although no kernel was killed in it."""
        self.two_owners: list[str] = []
        self.errors: list[str] = []
        handler: dict[int, int] = {}
        newest, former = 0, set[int]()
        interrupted = set[int]()
        for line in calls.read_text().splitlines():
            number, pid, redelivered, error = line.split(maxsplit=3)
            task, kernel = int(number), int(pid)
            if kernel != newest:
                former.add(newest)
                newest = kernel
            if kernel in former:
                self.two_owners.append(line)
            again = task in handler
            if again:
                if redelivered != "1" or handler[task] not in killed - interrupted:
                    self.unmarked.append(line)
                interrupted.add(handler[task])
            if error != "None":
                self.errors.append(line)
            handler[task] = kernel
            self.begun[task] += 1

    @property
    def duplicates(self) -> int:
        return sum(count - 1 for count in self.begun.values())


@pytest.mark.timeout(3600)
def test_E1_E2_E7_every_completion_is_delivered_whoever_is_killed(
    files: FileServer,
    tmp_path: Path,
    chance: random.Random,
    count: dict[str, int],
    last_line: Callable[[str], None],
) -> None:
    total, kills = count["completions"], count["delivery kills"]
    calls = tmp_path / "calls"
    with JupyterServer(tmp_path / "jupyter") as jupyter:
        soak = Soak(jupyter, files.add("tiny", b"tiny"), total, chance, calls)
        soak.open_kernel()
        for number in range(kills):
            soak.share = total * (number + 1) // (kills + 1)
            # Most of the share is on its way then; sometimes all of it has arrived.
            soak.go_on(chance.uniform(0.2, 1.2) * total / kills / RATE)
            soak.kill_something()
        soak.share = total
        assert soak.go_on(600), "not all was delivered"
        soak.kernel.shutdown()
    score = Score(calls, soak.killed)
    lost = total - len(score.begun)
    marked = "all redelivered" if not score.unmarked else f"{len(score.unmarked)} not redelivered"
    last_line(
        f"delivery: completed {total}, lost {lost}, duplicates {score.duplicates} ({marked}), "
        f"two owners {len(score.two_owners)}"
    )
    print(f"\n{dict(soak.kills)} were killed")
    assert lost == 0
    assert score.unmarked == []
    assert score.two_owners == []
    assert score.errors == []
    assert all(soak.kills[name] for name in ("kernel", "server", "websocket"))
