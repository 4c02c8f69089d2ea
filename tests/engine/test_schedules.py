"""Random schedules of faults, pauses, kills and resumes, held against a model.

The model knows which versions of the resource there ever were. Whatever happens, what the engine
vouches for is there, and a part that is ready holds one version, whole.
"""

from __future__ import annotations

import functools
import os
import random
import shutil
import signal
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.identical import SilentlyWrong, assert_identical

from jupyter_bgdl.engine.protocol import Failed, Ready

LONG = os.environ.get("SOAK") == "long"
SIZE = 400_000
ran: Counter[str] = Counter()

settings.register_profile(
    "schedules",
    max_examples=1500 if LONG else 50,
    stateful_step_count=20 if LONG else 12,
    deadline=None,
    database=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

FAULTS = st.sampled_from(
    ["reset", "truncate", "whole_on_resume", "wrong_offset", "busy", "stall", "no_validator"]
)


PLACES = st.sampled_from([SIZE // 2, 1, SIZE - 1, 0]) | st.integers(0, SIZE - 1)
"""Where a body is cut. Hypothesis likes 0 best of all integers, and then nothing is vouched for."""


@functools.cache
def version(number: int) -> bytes:
    """The resource as it is in its n-th version."""
    return random.Random(number).randbytes(SIZE)


class Schedule(RuleBasedStateMachine):
    """One download through a real worker and its server's bad days."""

    server: Any
    resource: Any
    bench_of: Any
    """Set by the test: a server, its good behaviour, and what makes a bench of a folder."""

    @initialize()
    def begin(self) -> None:
        ran["examples"] += 1
        self.home = Path(tempfile.mkdtemp(prefix="schedule-"))
        self.bench = self.bench_of(self.home)
        self.versions = [version(1)]
        self.fault: str | None = None
        self.at = 0
        self.is_begun = False
        self.unit: Any = None
        self.ready: Ready | None = None
        self.server.answer = self._answer

    def _answer(self, x: Any) -> None:
        body, etag = self.versions[-1], f'"{len(self.versions)}"'
        good = self.resource(body, etag=etag)
        fault, self.fault = self.fault, None
        if fault == "busy":
            x.reply("503 Service Unavailable", Retry_After="0")
        elif fault == "whole_on_resume":
            x.headers.pop("range", None)
            good(x)
        elif fault == "wrong_offset" and "range" in x.headers:
            begin = max(0, x.begin - 1000)
            span = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            x.reply("206 Partial Content", body[begin:], ETag=etag, Content_Range=span)
        elif fault == "no_validator":
            self.resource(body, etag=None)(x)
        elif fault == "stall":
            x.head(Content_Length=len(body), ETag=etag)
            x.send(body[: self.at])
            self.bench.released.wait(3)
        elif fault in ("reset", "truncate"):
            short = self.resource(body, etag=etag, stop_at=self.at)
            x.number = 1
            if fault == "reset":
                short.cut = lambda x: x.reset()
            short(x)
        else:
            good(x)

    @rule(fault=FAULTS, at=PLACES)
    def the_next_answer_is_bad(self, fault: str, at: int) -> None:
        self.fault, self.at = fault, at
        ran[fault] += 1

    @precondition(lambda self: len(self.versions) < 4)
    @rule()
    def a_new_version_is_there(self) -> None:
        self.versions.append(version(len(self.versions) + 1))
        ran["new version"] += 1

    # What may come next must not depend on how fast something was: hypothesis replays schedules.
    @precondition(lambda self: not self.is_begun)
    @rule()
    def begin_an_attempt(self) -> None:
        self.is_begun = True
        if self.ready is not None:
            return
        self.unit = self.bench.submit(self.server.url, timeout=1.0, **self.bench.kept())

    @precondition(lambda self: self.is_begun)
    @rule()
    def pause(self) -> None:
        if self.unit is not None:
            self.bench.engine.stop([self.unit.attempt])
            ran["pause"] += 1
        self._end()

    @precondition(lambda self: self.is_begun)
    @rule()
    def kill_the_worker(self) -> None:
        pid = self.bench.engine.pid
        if pid is not None and self.unit is not None:
            os.kill(pid, signal.SIGKILL)
            ran["kill"] += 1
        self._end()

    @precondition(lambda self: self.is_begun)
    @rule()
    def let_it_end(self) -> None:
        self._end()

    def _end(self) -> None:
        self.is_begun = False
        if self.unit is None:
            return
        end = self.bench.end_of(self.unit.attempt)
        self.unit = None
        if isinstance(end, Ready):
            self.ready = end
            target = self.home / "out" / "data.bin"
            published = self.bench.publish(end, target)
            if isinstance(published, Failed):
                assert published.code == "worker_died", published
                published = self.bench.publish(end, target)
            ran["published"] += 1
            assert_identical(target, *self.versions)
        else:
            assert end.code != "internal", end

    @invariant()
    def what_is_vouched_for_is_there(self) -> None:
        if self.ready is not None:
            return
        kept = self.bench.kept()
        if not kept.get("extents"):
            return
        try:
            data = Path(kept["part"].path).read_bytes()
        except FileNotFoundError:
            # A newer one took its place. That may not be reported yet, or never be: by the killed.
            assert any(self.bench.folder.glob(".*.part"))
            return
        ran["claims checked"] += 1
        for start, end in kept["extents"]:
            if not any(data[start:end] == body[start:end] for body in self.versions):
                raise SilentlyWrong(f"{start}-{end} is of no version")
        whole = [
            body
            for body in self.versions
            if all(data[start:end] == body[start:end] for start, end in kept["extents"])
        ]
        if not whole:
            raise SilentlyWrong("the extents are of several versions")

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.released.set()
            if self.unit is not None:
                self.bench.engine.stop([self.unit.attempt])
                self.bench.end_of(self.unit.attempt)
            shutil.rmtree(self.home)


def play_one_that_gets_to_everything() -> None:
    """Fifty random ones need not."""
    schedule = Schedule()
    schedule.begin()
    schedule.the_next_answer_is_bad(fault="truncate", at=SIZE // 2)
    schedule.begin_an_attempt()
    schedule.let_it_end()
    schedule.what_is_vouched_for_is_there()
    schedule.begin_an_attempt()
    schedule.let_it_end()
    schedule.teardown()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_P1_S2_S9_random_schedules(own_bench, server, resource, capsys):
    """The engine is one for all examples: its worker is killed often enough."""
    tasks = iter(range(own_bench.task * 100_000, own_bench.task * 100_000 + 99_999))

    def bench_of(home: Path) -> Any:
        own_bench.released = threading.Event()
        own_bench.folder, own_bench.task = home / "out", next(tasks)
        own_bench.reports.clear()
        own_bench.numbers = 0
        return own_bench

    ran.clear()
    Schedule.server, Schedule.resource, Schedule.bench_of = server, resource, staticmethod(bench_of)
    play_one_that_gets_to_everything()
    run_state_machine_as_test(Schedule, settings=settings.get_profile("schedules"))
    with capsys.disabled():
        print(f"\nschedules: {dict(ran)}")
    assert ran["published"] > 0
    assert ran["claims checked"] > 0
