"""The heart over the real engine: a worker process, a file server, real files."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content

from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.orphans import part_names
from jupyter_bgdl.model import (
    PROTOCOL,
    AttachRequest,
    EventKind,
    IfExists,
    Phase,
    Request,
    SessionView,
    TaskSpec,
)
from jupyter_bgdl.resume_data import ResumeRequest
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.service import Service

U, S = "server", "era5"
SIZE = 6_000_000


class Real:
    """A service over a worker of its own; ``start`` again after ``stop``: the same ledger."""

    def __init__(self, home: Path, server: FileServer, settings: Settings) -> None:
        self.home = home
        self.server = server
        self.settings = settings
        self.out = home / "out"
        self._changed = asyncio.Event()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.engine = LocalEngine()
        self.service = Service(
            self.home / "state", self.engine, alive=lambda _: True, settings=self.settings
        )
        self.service.subscribe(
            lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(self._changed.set)
        )
        self.service.start()

    def stop(self) -> None:
        self.service.close(15)

    async def attach(self, house: Any) -> int:
        request = AttachRequest(protocol=PROTOCOL, kernel=house.kernel())
        return (await self.service.attach(U, S, request)).epoch

    async def submit(self, *names: str, **more: Any) -> None:
        where = more or {"destination": f"{self.out}/"}
        specs = [TaskSpec(request=Request(self.server.url(name)), **where) for name in names]
        await self.service.submit(U, S, specs)

    async def until(self, holds: Callable[[SessionView], bool]) -> SessionView:
        async with asyncio.timeout(60):
            while True:
                self._changed.clear()
                view = await self.service.session(U, S)
                if holds(view):
                    return view
                await self._changed.wait()


@pytest.fixture
async def real(tmp_path: Path, names: Any) -> AsyncIterator[Real]:
    with FileServer() as server:
        real = Real(tmp_path, server, names.quick)
        real.start()
        try:
            yield real
        finally:
            real.stop()


async def test_files_arrive_and_events_tell_of_them(real: Real, tmp_path: Path, names: Any) -> None:
    epoch = await real.attach(names.House(tmp_path))
    for number in range(12):
        real.server.add(f"{number}.bin", content(SIZE // 12, number))
    await real.submit(*(f"{number}.bin" for number in range(12)), "missing.bin")
    view = await real.until(lambda view: view.counts.done + view.counts.failed == 13)
    assert (view.counts.done, view.received) == (12, SIZE // 12 * 12)
    for number in range(12):
        assert (real.out / f"{number}.bin").read_bytes() == content(SIZE // 12, number)
    assert len(list(real.out.iterdir())) == 12, "no part, and nothing of the missing one"
    events = await real.service.events(U, S, epoch, after=0, limit=100)
    assert [event.sequence for event in events] == list(range(1, 27))
    assert events[-1].kind is EventKind.SESSION_FINISHED


async def test_D10_tasks_that_are_to_be_renamed_share_a_name(
    real: Real, tmp_path: Path, names: Any
) -> None:
    await real.attach(names.House(tmp_path))
    real.server.add("a.bin", content(SIZE))
    for key, to in ("1", "a.bin"), ("2", "a.bin"), ("3", ""):
        where = {"destination": f"{real.out}/{to}", "key": key, "if_exists": IfExists.RENAME}
        await real.submit("a.bin", **where)
    await real.until(lambda view: view.counts.done == 3)
    assert sorted(p.name for p in real.out.iterdir()) == ["a (1).bin", "a (2).bin", "a.bin"]


async def test_a_missing_page_is_a_response_without_a_destination(
    real: Real, tmp_path: Path, names: Any
) -> None:
    await real.attach(names.House(tmp_path))
    await real.submit("missing.bin", staging=str(tmp_path / "staging"))
    await real.until(lambda view: view.counts.done == 1)
    task = await real.service.task(U, S, 1)
    assert task.response
    assert task.response.status_code == 404
    assert task.path
    assert Path(task.path).read_bytes() == b"no such file"


async def test_a_mirror_helps_out_and_the_log_says_so(
    real: Real, tmp_path: Path, names: Any
) -> None:
    await real.attach(names.House(tmp_path))
    mirror = real.server.add("copy.bin", content(SIZE))
    await real.submit("missing.bin", destination=f"{real.out}/a.bin", mirrors=[mirror])
    await real.until(lambda view: view.counts.done == 1)
    assert (real.out / "a.bin").read_bytes() == content(SIZE)
    log = await real.service.log(U, S)
    [line] = [line.text for line in log.lines if "dropped" in line.text]
    assert line.startswith("a.bin: The address itself (127.0.0.1/missing.bin)")
    assert "404" in line


@pytest.mark.parametrize("what", ["worker", "server"])
async def test_P1_P2_stopped_in_the_middle_it_goes_on(
    real: Real, tmp_path: Path, names: Any, what: str
) -> None:
    epoch = await real.attach(names.House(tmp_path))
    real.server.add("a.bin", content(SIZE), hold_at=SIZE // 2)
    await real.submit("a.bin")
    await real.until(lambda view: view.received >= SIZE // 4)
    if what == "worker":
        assert real.engine.pid
        os.kill(real.engine.pid, signal.SIGKILL)
    else:
        real.stop()
        real.start()
    real.server.hold("a.bin", None)
    await real.until(lambda view: view.counts.done == 1)
    assert (real.out / "a.bin").read_bytes() == content(SIZE)
    if what == "server":
        asked = real.server["a.bin"].requests[-1]["range"]
        assert int(asked.removeprefix("bytes=").removesuffix("-")) >= SIZE // 4
    events = await real.service.events(U, S, epoch, after=0, limit=9)
    assert [event.kind for event in events].count(EventKind.COMPLETED) == 1


async def test_suspend_resume_cancel(real: Real, tmp_path: Path, names: Any) -> None:
    await real.attach(names.House(tmp_path))
    real.server.add("a.bin", content(SIZE), hold_at=SIZE // 2)
    await real.submit("a.bin")
    await real.until(lambda view: view.received >= SIZE // 4)
    await real.service.suspend(U, S, 1)
    await real.service.resume(U, S, 1)
    await real.until(lambda view: len(real.server["a.bin"].requests) == 2)
    assert "range" in real.server["a.bin"].requests[1]
    await real.service.cancel(U, S, 1)
    await real.until(lambda view: view.counts.cancelled == 1)
    real.stop()
    assert list(real.out.iterdir()) == []


async def test_what_resume_data_stands_for_outlives_a_retry_of_its_task(
    real: Real, tmp_path: Path, names: Any
) -> None:
    await real.attach(names.House(tmp_path))
    real.server.add("a.bin", content(SIZE), hold_at=SIZE // 2)
    await real.submit("a.bin", destination=f"{real.out}/a.bin")
    await real.until(lambda view: view.received >= SIZE // 4)
    token = (await real.service.cancel_for_resume(U, S, 1)).resume_data
    assert token is not None
    real.server.hold("a.bin", None)
    await real.service.retry(U, S, 1)
    await real.until(lambda view: view.counts.done == 1)
    request = ResumeRequest(resume_data=token, destination=f"{real.out}/b.bin")
    made = await real.service.resume_from(U, S, request)
    await real.service.resume(U, S, made.task.task_identifier)
    await real.until(lambda view: view.counts.done == 2)
    assert "range" in real.server["a.bin"].requests[-1]
    real.stop()
    assert {path.name for path in real.out.iterdir()} == {"a.bin", "b.bin"}
    assert all(path.read_bytes() == content(SIZE) for path in real.out.iterdir())


@pytest.mark.parametrize("ends", ["cancelled", "failed", "kept"])
async def test_what_a_killed_attempt_left_goes_with_its_generation(house: Any, ends: str) -> None:
    await house.attach()
    await house.submit(house.spec())
    killed = await house.engine.fetch()
    orphan = Path(killed.folder) / next(part_names(killed.mark, killed.attempt))
    orphan.parent.mkdir()
    orphan.write_bytes(b"untold")
    house.engine.fail(killed, "worker_died")
    fetch = await house.engine.fetch()
    part = Path(house.engine.headers(fetch).path)
    house.engine.checkpoint(fetch, 60)
    await house.until_phase(1, Phase.RUNNING, received=60)
    if ends == "cancelled":
        await house.service.cancel(U, S, 1)
    elif ends == "kept":
        assert (await house.service.cancel_for_resume(U, S, 1)).resume_data
    else:
        house.engine.fail(fetch, "redirect_loop")
        await house.until_phase(1, Phase.COMPLETED)
        assert orphan.exists()
        await house.service.retry(U, S, 1)
        again = await house.engine.fetch()
        assert again.part.path == str(part)
    house.close()
    assert not orphan.exists()
    assert part.exists() == (ends != "cancelled")
