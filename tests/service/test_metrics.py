"""What is kept of the requests of a task, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import Attempt, Metrics
from jupyter_bgdl.errors import TaskNotFound
from jupyter_bgdl.model import Phase, TaskMetrics, TransactionMetrics

U, S = "server", "era5"


def asked(number: int = 0, **more: Any) -> TransactionMetrics:
    return TransactionMetrics(url=f"http://host.test/{number}", fetch_start=number, **more)


async def collected(house: Any, count: int) -> TaskMetrics:
    async def holds() -> bool:
        return len((await house.service.metrics(U, S, 1)).transactions) == count

    await house.until(holds)
    metrics: TaskMetrics = await house.service.metrics(U, S, 1)
    return metrics


async def test_attempts_add_up_and_outlive_the_server(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    first = await house.engine.fetch()
    assert (await house.service.metrics(U, S, 1)).transactions == []
    hop = asked(1, is_redirect=True, status_code=302)
    house.engine.say(Metrics(first.attempt, [hop, asked(2, status_code=200, segment=(3, 9))]))
    house.engine.fail(first, "connection")
    second = await house.engine.fetch()
    house.engine.say(Metrics(second.attempt, [asked(3)]))
    house.engine.ready(second, house.engine.headers(second))
    house.engine.published(await house.engine.publish())
    view = await house.until_phase(1, Phase.COMPLETED)
    metrics = await house.service.metrics(U, S, 1)
    assert [t.fetch_start for t in metrics.transactions] == [1, 2, 3]
    assert metrics.transactions[1].segment == (3, 9)
    assert (metrics.attempts, metrics.redirect_count) == (2, 1)
    assert metrics.task_interval == (view.created_at, view.completed_at)
    house.reopen()
    assert await house.service.metrics(U, S, 1) == metrics


async def test_only_the_newest_hundred_are_kept(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    for start in (0, 80):
        fetch = await house.engine.fetch()
        house.engine.say(Metrics(fetch.attempt, [asked(start + n) for n in range(80)]))
        house.engine.fail(fetch, "connection")
    metrics = await collected(house, 100)
    assert [t.fetch_start for t in metrics.transactions] == list(range(60, 160))


async def test_those_of_an_older_attempt_or_generation_are_gone(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    old = Attempt(fetch.attempt.task, fetch.attempt.number - 1)
    house.engine.say(Metrics(old, [asked(1)]), Metrics(fetch.attempt, [asked(2)]))
    house.engine.fail(fetch, "tls")
    await house.until_phase(1, Phase.COMPLETED)
    [told] = (await house.service.metrics(U, S, 1)).transactions
    assert told.fetch_start == 2
    await house.service.retry(U, S, 1)
    metrics = await house.service.metrics(U, S, 1)
    assert (metrics.transactions, metrics.attempts) == ([], 1)


async def test_T12_T13_T14_no_secret_of_an_address_is_kept(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    url = "https://user:canary1@host.test/a?X-Amz-Signature=canary2&sig=canary3#canary4"
    house.engine.say(Metrics(fetch.attempt, [TransactionMetrics(url=url, fetch_start=1.0)]))
    [told] = (await collected(house, 1)).transactions
    assert told.url == "https://host.test/a?X-Amz-Signature=…&sig=…"
    house.close()
    kept = b"".join(Path(path).read_bytes() for path in house.state.glob("*") if path.is_file())
    assert b"host.test/a?X-Amz-Signature" in kept
    assert b"canary" not in kept


async def test_a_task_that_there_is_not_has_none(house: Any) -> None:
    await house.attach()
    with pytest.raises(TaskNotFound):
        await house.service.metrics(U, S, 7)
