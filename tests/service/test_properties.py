"""Properties of a task: kept, obeyed by the scheduler, and changed until it is too late."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from msgspec import convert

from jupyter_bgdl.model import Phase, WaitingFor
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.service.turns import Turns

U, S = "server", "era5"


async def test_waiting_tasks_go_by_priority_then_by_number(house: Any, names: Any) -> None:
    house.close()
    house.open(units=1)
    await house.attach()
    await house.submit(house.spec("running.bin"))
    first = await house.engine.fetch()
    priorities = (0.5, 0.9, 0.0, 0.9, 1.0)
    await house.submit(*(house.spec(f"{n}", priority=p) for n, p in enumerate(priorities)))
    # Changed while it waits, upwards and downwards.
    await house.service.change(U, S, 2, TaskChange(priority=0.95))
    await house.service.change(U, S, 6, TaskChange(priority=0.1))
    house.engine.fail(first, "tls")
    order = []
    for _ in priorities:
        fetch = await house.engine.fetch()
        order.append(fetch.name)
        house.engine.fail(fetch, "tls")
    assert order == ["0", "1", "3", "4", "2"]


async def test_priority_survives_a_restart_of_the_server(house: Any) -> None:
    await house.attach()
    date = time.time() + 3600
    specs = [house.spec(f"{n}", resume=False, priority=p) for n, p in enumerate((0.2, 0.7))]
    await house.submit(*specs)
    await house.service.change(
        U, S, 1, TaskChange(priority=0.8, description="mine", earliest_begin_date=date)
    )
    house.close()
    house.open(units=1)
    view = await house.service.task(U, S, 1)
    assert (view.priority, view.description, view.earliest_begin_date) == (0.8, "mine", date)
    await house.service.change(U, S, 1, TaskChange(earliest_begin_date=None))
    blocker = house.spec("blocker")
    await house.submit(blocker)
    first = await house.engine.fetch()
    await house.service.resume(U, S, 2)
    await house.service.resume(U, S, 1)
    house.crash()
    house.open(units=1)
    assert [(await house.engine.fetch()).name] == ["0"]
    assert first.name == "blocker"


async def test_a_date_is_set_moved_and_taken_away_while_it_waits(house: Any) -> None:
    house.close()
    house.open(units=0)
    await house.attach()
    await house.submit(house.spec())
    date = time.time() + 3600
    view = await house.service.change(U, S, 1, TaskChange(earliest_begin_date=date))
    assert (view.waiting_for, view.until) == (WaitingFor.EARLIEST_BEGIN_DATE, date)
    view = await house.service.change(U, S, 1, TaskChange(earliest_begin_date=date + 1))
    assert (view.waiting_for, view.until) == (WaitingFor.EARLIEST_BEGIN_DATE, date + 1)
    view = await house.service.change(U, S, 1, TaskChange(earliest_begin_date=None))
    assert (view.waiting_for, view.earliest_begin_date) == (WaitingFor.TURN, None)


async def test_a_date_that_comes_too_late_has_no_effect(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    late = TaskChange(earliest_begin_date=time.time() + 99, priority=1.0)
    view = await house.service.change(U, S, 1, late)
    assert (view.phase, view.earliest_begin_date, view.priority) == (Phase.RUNNING, None, 1.0)
    await house.service.suspend(U, S, 1)
    await house.service.resume(U, S, 1)
    fetch = await house.engine.fetch()
    house.engine.ready(fetch, house.engine.headers(fetch))
    house.engine.published(await house.engine.publish())
    await house.until_phase(1, Phase.COMPLETED)
    view = await house.service.change(U, S, 1, TaskChange(description="seen"))
    view = await house.service.change(U, S, 1, late)
    assert (view.description, view.phase, view.earliest_begin_date) == ("seen", "completed", None)


async def test_properties_that_are_given_anew_count_for_the_task_that_is_found(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(resume=False, priority=0.9, description="first"))
    more = {"priority": 0.1, "count_of_bytes_client_expects_to_receive": 7}
    [(match, view)] = await house.submit(house.spec(resume=False, **more))
    assert (match, view.priority, view.description) == ("found", 0.1, "first")
    assert view.count_of_bytes_client_expects_to_receive == 7


def test_an_entry_of_another_priority_does_not_count() -> None:
    turns = Turns()
    turns.add(1, "h", 0.9, 1, 11)
    turns.add(1, "h", 0.5, 2, 12)
    turns.move(11, 0.1)
    turns.add(1, "h", 0.1, 1, 11)
    taken = [turns.take(Counter(), lambda *_: 1) for _ in range(3)]
    assert taken == [(1, "h", 12), (1, "h", 11), None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": 1.01},
        {"priority": -0.1},
        {"count_of_bytes_client_expects_to_send": -1},
        {"count_of_bytes_client_expects_to_receive": -1},
        {"description": "x" * 1025},
        {"state": "completed"},
    ],
)
def test_values_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Expected|Object contains"):
        convert(wrong, TaskChange)
