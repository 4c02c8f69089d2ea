"""Very many tasks, very many events, and one that does not get on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import Publish
from jupyter_bgdl.model import EventKind, Phase, Request, TaskSpec

U, S = "server", "era5"
MANY = 100_000


def many_events(ledger: Path) -> None:
    """In a closed ledger: all tasks but the first have arrived, and nobody heard of it."""
    with closing(sqlite3.connect(ledger)) as db, db:
        # What the service writes for each, in one go.
        view = (
            '{"session":"era5","task_identifier":\' || number || \',"generation":1,"revision":1,'
            '"state":"completed","phase":"completed","name":"a","host":"h","url":"http://h/",'
            '"created_at":1.0}'
        )
        db.execute(
            "UPDATE tasks SET phase = 'completed', waiting_for = NULL, deadline = NULL,"
            " path = folder || '/a', size = 1, completed_at = unixepoch() WHERE number > 1"
        )
        for offset, kind in ((1, "finished_downloading"), (0, "completed")):
            db.execute(
                "INSERT INTO events (session, sequence, kind, task, generation, body)"
                f" SELECT session, 2 * number - {offset}, '{kind}', id, 1,"
                f" CAST('{view}' AS BLOB) FROM tasks WHERE number > 1"
            )
        db.execute("UPDATE sessions SET last_sequence = (SELECT max(sequence) FROM events)")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_L1_E5_a_session_of_100_000_is_made_restarted_and_told_of_page_by_page(
    house: Any,
) -> None:
    await house.attach(configuration={"maximum_connections_per_host": 1})
    folder = f"{house.home}/out/"
    specs = [
        TaskSpec(request=Request(f"http://h.test/{n}"), destination=folder) for n in range(MANY)
    ]
    start = time.monotonic()
    reply = await house.service.submit(U, S, specs)
    assert time.monotonic() - start < 60, "it takes longer the more there are"
    assert [item.task.task_identifier for item in reply.tasks] == list(range(1, MANY + 1))
    del specs, reply
    first = await house.engine.fetch()
    house.reopen()
    fetch = await house.engine.fetch()
    assert (fetch.attempt.task, fetch.attempt.number) == (
        first.attempt.task,
        first.attempt.number + 1,
    )
    counts = (await house.service.session(U, S)).counts
    assert (counts.waiting, counts.running) == (MANY - 1, 1)

    house.close()
    many_events(house.state / "ledger.db")
    house.open()
    await house.engine.fetch()
    reply = await house.attach()
    assert reply.undelivered == 2 * (MANY - 1)
    assert len(reply.tasks) == 1, "what is completed is paged"
    tracemalloc.start()
    try:
        heard, after = 0, 0
        while events := await house.service.events(U, S, reply.epoch, after=after, limit=1000):
            for event in events:
                assert event.sequence > after
                after = event.sequence
            heard += len(events)
            dealt = [(event.sequence, None) for event in events]
            await house.service.acknowledge(U, S, reply.epoch, dealt)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert heard == 2 * (MANY - 1)
    assert peak < 20_000_000, "the backlog was held in memory"
    assert (await house.service.session(U, S)).undelivered == 0


async def test_L2_a_task_that_does_not_get_on_holds_up_nobody(house: Any) -> None:
    """It keeps its place, and only that; the others of its host go on beside it."""
    epoch = (await house.attach(configuration={"maximum_connections_per_host": 2})).epoch
    await house.submit(*(house.spec(str(n)) for n in range(20)))
    stuck = await house.engine.fetch()
    for _ in range(2 * 19):
        unit = await asyncio.to_thread(house.engine.units.get, True, 20)
        assert unit.attempt.task != stuck.attempt.task
        if isinstance(unit, Publish):
            house.engine.published(unit)
        else:
            house.engine.ready(unit, house.engine.headers(unit))
    for number in range(2, 21):
        await house.until_phase(number, Phase.COMPLETED)
    counts = (await house.service.session(U, S)).counts
    assert (counts.running, counts.done) == (1, 19)
    kinds = await house.kinds(epoch)
    assert kinds.count(EventKind.COMPLETED) == 19, "their events wait for nobody either"


async def test_E7_what_was_committed_is_told_after_a_crash_before_it_was_sent(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    house.reopen()
    events = await house.service.events(U, S, epoch, after=0, limit=9)
    assert [(event.kind, event.redelivered) for event in events] == [
        (EventKind.FINISHED_DOWNLOADING, False),
        (EventKind.COMPLETED, False),
        (EventKind.SESSION_FINISHED, False),
    ]


async def test_E7_what_was_not_committed_is_neither_told_nor_lost(house: Any) -> None:
    """The server dies after the file got its name, and before that is in the ledger."""
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    house.engine.ready(fetch, part)
    publish = await house.engine.publish()
    house.crash()
    Path(publish.target).parent.mkdir(parents=True, exist_ok=True)
    Path(part.path).rename(publish.target)
    house.open()
    assert await house.kinds(epoch) == []
    house.engine.published(await house.engine.publish())
    await house.until_phase(1, Phase.COMPLETED)
    assert (await house.kinds(epoch)).count(EventKind.COMPLETED) == 1
