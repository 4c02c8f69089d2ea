"""The end of a session: after all that was to be told, and then its name is free."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import Progress
from jupyter_bgdl.errors import SessionInvalidated, TaskNotFound
from jupyter_bgdl.model import EventKind, Phase
from jupyter_bgdl.service.changes import SessionRemoved

U, S = "server", "era5"
INVALID = EventKind.SESSION_INVALID
TOLD = [
    EventKind.FINISHED_DOWNLOADING,
    EventKind.COMPLETED,
    EventKind.SESSION_FINISHED,
    INVALID,
]


async def heard(house: Any, epoch: int) -> None:
    """The owner has dealt with all there is."""
    events = await house.service.events(U, S, epoch, after=0, limit=99)
    await house.acknowledge(epoch, *(event.sequence for event in events))


async def is_gone(house: Any) -> bool:
    try:
        await house.service.session(U, S)
    except TaskNotFound:
        return True
    return False


async def test_tasks_finish_first_and_no_new_ones_are_made(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    await house.service.invalidate(U, S, epoch, cancel=False)
    await house.service.invalidate(U, S, epoch, cancel=False)
    with pytest.raises(SessionInvalidated, match="no more tasks"):
        await house.submit(house.spec("b"))
    [(match, _)] = await house.submit(house.spec())
    assert match == "found", "a launch cell looks for the tasks that it made"
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    assert await house.kinds(epoch) == TOLD
    assert not await is_gone(house)
    await heard(house, epoch)
    assert await is_gone(house)
    assert SessionRemoved(U, S) in house.changes
    assert (house.home / "out" / "a.bin").exists()


async def test_the_name_is_free_for_a_session_that_knows_nothing(house: Any) -> None:
    epoch = (await house.attach(configuration={"sends_launch_events": False})).epoch
    await house.submit(house.spec("old.bin"))
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    await house.service.invalidate(U, S, epoch, cancel=False)
    await heard(house, epoch)
    again = await house.attach("k2")
    assert (again.created, again.is_owner) == (True, True)
    assert again.options["sends_launch_events"] is True
    assert again.tasks == []
    [(match, view)] = await house.submit(house.spec("new.bin"))
    assert (match, view.task_identifier) == ("created", 1)


async def test_it_survives_a_restart_between_the_end_and_its_being_told(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    await house.service.invalidate(U, S, epoch, cancel=False)
    house.reopen()
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    assert (await house.kinds(epoch))[-1] is INVALID
    house.reopen()
    epoch = (await house.attach("k2", take_over=True)).epoch
    events = await house.service.events(U, S, epoch, after=0, limit=9)
    assert [event.kind for event in events] == TOLD
    assert events[-1].redelivered
    await heard(house, epoch)
    assert await is_gone(house)


async def test_cancelling_takes_the_parts_away(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec("a"), house.spec("b", resume=False), house.spec("c"))
    for _ in range(2):
        fetch = await house.engine.fetch()
        house.engine.headers(fetch)
    await house.service.invalidate(U, S, epoch, cancel=True)
    for number in (1, 2, 3):
        await house.until_phase(number, Phase.COMPLETED)
    assert await house.kinds(epoch) == [EventKind.COMPLETED] * 3 + TOLD[2:]
    await heard(house, epoch)
    assert await is_gone(house)

    async def no_part() -> bool:
        return not list(Path(house.home / "out").iterdir())

    await house.until(no_part)


async def test_what_was_not_cancelled_before_a_crash_is_cancelled_after_it(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(*(house.spec(f"{n}", resume=False) for n in range(5)))
    house.crash()
    with sqlite3.connect(house.state / "ledger.db") as ledger:
        ledger.execute("UPDATE sessions SET ending = 2")
    ledger.close()
    house.open()
    assert await house.kinds(epoch) == [EventKind.COMPLETED] * 5 + TOLD[2:]


async def test_others_are_served_while_many_are_cancelled(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(*(house.spec(f"{n}", resume=False) for n in range(1000)))
    end = asyncio.create_task(house.service.invalidate(U, S, epoch, cancel=True))
    seen = set()
    while not end.done():
        seen.add((await house.service.session(U, S)).counts.cancelled)
    assert seen - {0, 1000}
    assert (await house.service.session(U, S)).counts.cancelled == 1000


async def test_a_staged_file_whose_callback_raised_stays_where_it_is(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec(destination=None, staging=str(house.home / "staging")))
    await house.engine.bring()
    view = await house.until_phase(1, Phase.COMPLETED)
    await house.service.invalidate(U, S, epoch, cancel=False)
    events = await house.service.events(U, S, epoch, after=0, limit=9)
    await house.service.acknowledge(U, S, epoch, [(events[0].sequence, "Traceback …")])
    await house.acknowledge(epoch, *(event.sequence for event in events[1:]))
    assert await is_gone(house)
    assert Path(view.path).read_bytes() == b"x" * 100


async def test_what_still_stood_in_line_holds_up_nobody(house: Any) -> None:
    house.close()
    house.open(units=0)
    epoch = (await house.attach()).epoch
    await house.submit(house.spec("a"), house.spec("b"))
    await house.service.invalidate(U, S, epoch, cancel=True)
    await heard(house, epoch)
    assert await is_gone(house)
    house.engine.limit = 1
    await house.attach("k2")
    await house.submit(house.spec("c"))
    assert (await house.engine.fetch()).name == "c"


async def test_what_the_engine_says_too_late_is_of_no_account(house: Any) -> None:
    await house.attach(configuration={"timeout_for_resource": 0.2})
    epoch = (await house.attach()).epoch
    await house.submit(house.spec("a"))
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    house.engine.headers(fetch)
    await house.until_phase(1, Phase.COMPLETED)
    await house.service.invalidate(U, S, epoch, cancel=False)
    await heard(house, epoch)
    assert await is_gone(house)
    house.engine.say(Progress(fetch.attempt, 70))
    house.engine.fail(fetch, "stopped")
    await house.attach("k2")
    await house.submit(house.spec("b"))
    assert (await house.engine.fetch()).name == "b"


async def test_only_the_owner_may_end_it(house: Any) -> None:
    epoch = (await house.attach()).epoch
    with pytest.raises(SessionInvalidated):
        await house.service.invalidate(U, S, epoch - 1, cancel=True)
    await house.submit(house.spec())


async def test_one_that_was_never_used_ends_at_once(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.service.invalidate(U, S, epoch, cancel=False)
    assert await house.kinds(epoch) == [INVALID]
    await heard(house, epoch)
    assert await is_gone(house)
