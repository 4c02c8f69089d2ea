"""The rate that all transfers share."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import Limits, Progress, Ready
from jupyter_bgdl.engine.throttle import Throttle


def test_threads_share_the_rate() -> None:
    throttle = Throttle(1_000_000)
    moved: list[int] = []

    def move() -> None:
        for _ in range(10):
            count = throttle.portion(1 << 20)
            throttle.take(count, lambda: None)
            moved.append(count)

    begun = time.monotonic()
    threads = [threading.Thread(target=move) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    assert took / (sum(moved) / 1_000_000) >= 0.97


def test_a_pause_allows_no_burst_afterwards() -> None:
    throttle = Throttle(1_000_000)
    throttle.take(1000, lambda: None)
    time.sleep(0.3)
    begun = time.monotonic()
    throttle.take(200_000, lambda: None)
    assert time.monotonic() - begun >= 0.199


def test_who_waits_can_be_ended() -> None:
    throttle = Throttle(10)

    def tick() -> None:
        raise KeyError

    begun = time.monotonic()
    with pytest.raises(KeyError):
        throttle.take(10_000, tick)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("rate", [None, 10**9])
def test_who_waits_goes_on_when_the_rate_is_raised(rate: int | None) -> None:
    throttle = Throttle(10)
    waits = threading.Event()
    waiter = threading.Thread(target=throttle.take, args=(100_000, waits.set))
    waiter.start()
    assert waits.wait(20)
    throttle.configure(rate)
    waiter.join(20)
    assert not waiter.is_alive()


def test_transfers_keep_to_it_and_to_a_change_of_it(
    own_bench: Any, server: Any, resource: Any, tmp_path: Path
) -> None:
    """A low rate is reported as progress all along, and is no stall."""
    body = random.Random(1).randbytes(600_000)
    server.answer = resource(body)
    own_bench.wait_for_worker()
    own_bench.engine.configure(Limits(bandwidth=100_000))
    begun = time.monotonic()
    unit = own_bench.submit(server.url, timeout=0.5)
    own_bench.wait(lambda r: isinstance(r, Progress) and r.received >= 100_000)
    slow = time.monotonic() - begun
    own_bench.engine.configure(Limits())
    ready = own_bench.end_of(unit.attempt)
    assert isinstance(ready, Ready)
    assert slow >= 0.9
    assert time.monotonic() - begun < 5
    assert Path(ready.part.path).read_bytes() == body


def test_a_transfer_slower_than_a_stall_is_not_one(
    own_bench: Any, server: Any, resource: Any
) -> None:
    server.answer = resource(b"x" * 4000)
    own_bench.wait_for_worker()
    own_bench.engine.configure(Limits(bandwidth=1000))
    ready = own_bench.fetch(server.url, timeout=0.6)
    assert isinstance(ready, Ready), ready


def test_a_held_transfer_stops_promptly(own_bench: Any, server: Any, resource: Any) -> None:
    server.answer = resource(b"x" * 4_000_000)
    own_bench.wait_for_worker()
    own_bench.engine.configure(Limits(bandwidth=2000))
    unit = own_bench.submit(server.url)
    own_bench.wait(lambda r: isinstance(r, Progress) and r.received > 0)
    begun = time.monotonic()
    own_bench.engine.stop([unit.attempt])
    assert own_bench.end_of(unit.attempt).code == "stopped"
    assert time.monotonic() - begun < 3


def test_the_next_worker_keeps_to_it(own_bench: Any, server: Any, resource: Any) -> None:
    server.answer = resource(b"x" * 60_000)
    own_bench.wait_for_worker()
    own_bench.engine.configure(Limits(bandwidth=30_000))
    os.kill(own_bench.engine.pid, signal.SIGKILL)
    begun = time.monotonic()
    for _ in range(5):
        end = own_bench.fetch(server.url)
        if isinstance(end, Ready):
            break
        begun = time.monotonic()
    assert isinstance(end, Ready)
    assert time.monotonic() - begun >= 1.8
