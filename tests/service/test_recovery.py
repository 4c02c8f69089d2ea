"""A server that was killed is started again on the same folder, at every phase."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_bgdl import owner_file, process
from jupyter_bgdl.errors import ServerUnavailable
from jupyter_bgdl.model import EventKind, Phase, WaitingFor
from jupyter_bgdl.service.ledger import Ledger

U, S = "server", "era5"


def alter(path: Path, statement: str) -> None:
    """Change a closed ledger behind the service's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)


async def test_P2_a_running_task_goes_on_with_its_bytes(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 70)
    await house.until_phase(1, Phase.RUNNING, received=70)
    house.reopen()
    again = await house.engine.fetch()
    assert again.attempt.number > fetch.attempt.number
    assert (again.part, again.extents, again.total) == (part, [(0, 70)], 100)


@pytest.mark.parametrize("named", [False, True])
async def test_P2_a_finishing_task_is_published_from_its_intent(house: Any, named: bool) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    house.engine.ready(fetch, house.engine.headers(fetch))
    first = await house.engine.publish()
    if named:
        Path(first.part.path).rename(first.target)
    house.reopen()
    second = await house.engine.publish()
    assert (second.part, second.target, second.size) == (first.part, first.target, first.size)
    house.engine.published(second)
    await house.until_phase(1, Phase.COMPLETED, error=None)
    assert (await house.kinds(epoch)).count(EventKind.COMPLETED) == 1


async def test_P2_a_cancel_that_was_under_way_is_completed(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    await house.until_phase(1, Phase.RUNNING, total=100)
    await house.service.cancel(U, S, 1)
    house.reopen()
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error
    assert view.error.code == "cancelled"
    assert await house.kinds(epoch) == [EventKind.COMPLETED, EventKind.SESSION_FINISHED]
    house.close()
    assert not Path(part.path).exists()


async def test_P2_suspended_stays_suspended(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(resume=False))
    house.reopen()
    assert (await house.service.task(U, S, 1)).phase is Phase.SUSPENDED
    assert house.engine.units.empty()


async def test_S19_a_due_time_survives(tmp_path: Path, names: Any) -> None:
    house = names.House(tmp_path).open()
    try:
        await house.attach()
        await house.submit(house.spec())
        fetch = await house.engine.fetch()
        house.engine.fail(fetch, "http_status", status_code=503, retry_after=500.0)
        before = await house.until_phase(1, Phase.WAITING, waiting_for=WaitingFor.RETRY)
        assert before.reason == "server busy"
        house.reopen()
        after = await house.service.task(U, S, 1)
        assert before.until
        assert after.until == pytest.approx(before.until, abs=10)
        assert house.engine.units.empty()
        await house.service.retry(U, S, 1)
        assert await house.engine.fetch()
    finally:
        house.close()


async def test_E7_events_are_there_after_a_crash(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    await house.kinds(epoch)
    house.reopen()
    events = await house.service.events(U, S, epoch, after=0, limit=9)
    assert [event.redelivered for event in events] == [True, True, True]


async def test_an_orderly_end_takes_the_last_reports(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 55)
    house.close()
    assert not (house.state / "owner.json").exists()
    house.open()
    assert (await house.engine.fetch()).extents == [(0, 55)]


def test_C1_the_resource_timeout_falls_across_stops_and_never_rises(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state")
    ledger.open()
    begun = ledger.clock()
    ledger.close()
    alter(tmp_path / "state" / "ledger.db", "UPDATE ledger SET wall = wall - 1000")
    ledger.open()
    assert 1000 <= ledger.clock() - begun < 1100
    begun = ledger.clock()
    ledger.close()
    alter(tmp_path / "state" / "ledger.db", "UPDATE ledger SET wall = wall + 1000000")
    ledger.open()
    assert 0 <= ledger.clock() - begun < 100
    ledger.close()


async def test_P6_a_second_server_says_who_has_it_and_takes_over(
    house: Any, tmp_path: Path, names: Any
) -> None:
    await house.attach()
    second = names.House(tmp_path).open()
    try:
        with pytest.raises(ServerUnavailable, match=f"process {os.getpid()}"):
            await second.service.sessions(U)
        house.close()
        deadline = time.monotonic() + 20
        while True:
            try:
                [session] = await second.service.sessions(U)
                break
            except ServerUnavailable:
                assert time.monotonic() < deadline
        assert session.identifier == S
    finally:
        second.close()


@pytest.mark.parametrize(("age", "taken"), [(0, True), (59, True), (61, False)])
def test_P6_another_host_is_told_by_its_heartbeat(tmp_path: Path, age: float, taken: bool) -> None:
    state = tmp_path / "state"
    made = Ledger(state)
    made.open()
    made.close()
    elsewhere = owner_file.Owner("elsewhere/boot", 1, "http://elsewhere/", time.time() - age)
    (state / "owner.json").write_bytes(msgspec.json.encode(elsewhere))
    ledger = Ledger(state)
    if taken:
        with pytest.raises(ServerUnavailable, match="http://elsewhere/"):
            ledger.open()
    else:
        ledger.open()
        owner = owner_file.read(state / "owner.json")
        assert owner
        assert owner.host == process.host()
        ledger.close()


@pytest.mark.parametrize("damage", ["noise", "empty", "cut"])
async def test_P8_a_damaged_ledger_is_set_aside(
    house: Any, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    await house.attach()
    await house.submit(*(house.spec(str(n), resume=False) for n in range(500)))
    house.close()
    path = house.state / "ledger.db"
    body = path.read_bytes()
    path.write_bytes(
        {"noise": os.urandom(len(body)), "empty": b"", "cut": body[: len(body) // 2]}[damage]
    )
    house.open()
    assert await house.service.sessions(U) == []
    await house.attach()
    if damage != "empty":
        assert list(house.state.glob("ledger.db.corrupt-*"))
        assert "damaged" in caplog.text


async def test_P10_a_newer_schema_is_refused(house: Any) -> None:
    house.close()
    alter(house.state / "ledger.db", "PRAGMA user_version = 99")
    house.open()
    with pytest.raises(ServerUnavailable, match="newer version"):
        await house.service.sessions(U)


def test_P10_a_migration_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_bgdl.service import ledger as module

    monkeypatch.setattr(module, "migrations", lambda: ("CREATE TABLE a (b); SELECT nonsense;",))
    with pytest.raises(ServerUnavailable):
        Ledger(tmp_path / "state").open()
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.db")) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


_WRITER = """
import sys
from pathlib import Path
from jupyter_bgdl.service.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.open()
with ledger.transaction():
    session = ledger.one("add_session", user="u", identifier="s", options=b"{}", now=0.0)
while True:
    with ledger.transaction():
        number = ledger.one("next_line", session=session["id"])["last_line"]
        ledger.run("add_line", session=session["id"], number=number, time=0.0, source="server",
                   text="x")
    print(number, flush=True)
"""


def test_P5_what_was_committed_survives_a_sigkill(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        for _ in range(50):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
    last = int(rest[-1]) if rest else 50
    ledger = Ledger(tmp_path / "state")
    ledger.open()
    session = ledger.one("session", user="u", identifier="s")
    assert session
    lines = ledger.all("log_page", session=session["id"], after=0, limit=10**6)
    assert [line["number"] for line in lines][:last] == list(range(1, last + 1))
    assert session["last_line"] == len(lines)
    ledger.close()


def test_P9_a_transaction_that_fails_leaves_nothing_and_tells_nobody(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state")
    ledger.open()
    told: list[int] = []

    def fail() -> None:
        with ledger.transaction():
            ledger.run("add_session", user="u", identifier="s", options=b"{}", now=0.0)
            ledger.on_commit(lambda: told.append(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert ledger.one("session", user="u", identifier="s") is None
    with ledger.transaction():
        pass
    assert told == []
    ledger.close()


async def test_P13_a_question_about_a_kernel_that_raises_does_not_end_the_service(
    tmp_path: Path, names: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house = names.House(tmp_path).open()
    try:
        await house.attach()
        asked = threading.Event()

        class Broken(dict[str, bool]):
            def get(self, *args: Any) -> Any:
                asked.set()
                raise RuntimeError("no answer")

        house.living = Broken()
        assert await asyncio.to_thread(asked.wait, 20)
        await house.submit(house.spec())
        await house.engine.bring()
        await house.until_phase(1, Phase.COMPLETED)
        assert "no answer" in caplog.text
    finally:
        house.close()


async def test_P13_a_report_that_cannot_be_handled_fails_its_task_alone(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec("a"), house.spec("b"))
    first, second = await house.engine.fetch(), await house.engine.fetch()
    part = house.engine.part(first)
    house.engine.headers(first, part=msgspec.structs.replace(part, inode="no number"))
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error
    house.engine.ready(second, house.engine.headers(second))
    house.engine.published(await house.engine.publish())
    await house.until_phase(2, Phase.COMPLETED, error=None)


async def test_a_platform_that_cannot_move_bytes_safely_is_refused_clearly(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.close()
    monkeypatch.delattr(os, "pwrite")
    house.open()
    with pytest.raises(ServerUnavailable, match="not supported on"):
        await house.service.sessions(U)
    monkeypatch.undo()
