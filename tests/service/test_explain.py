"""Why a task does not run, as a person is told, and what the scheduler decided before."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.model import Phase, WaitingFor

U, S = "server", "era5"


async def explained(house: Any, number: int = 1) -> Explanation:
    told: Explanation = await house.service.explain(U, S, number)
    return told


async def decided(house: Any) -> list[str]:
    return [line.text for line in (await house.service.log(U, S)).lines if line.source == "server"]


async def test_a_task_through_its_life(house: Any) -> None:
    await house.attach()
    begun = time.time()
    await house.submit(house.spec(resume=False))
    told = await explained(house)
    assert (told.state, told.help) == ("suspended", ["task.resume()"])
    await house.service.resume(U, S, 1)
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    await house.until_phase(1, Phase.RUNNING, total=100)
    told = await explained(house)
    assert (told.phase, told.waiting_for) == ("running", None)
    assert "of 100 bytes" in told.why
    assert begun <= told.since <= time.time()
    house.engine.ready(fetch, part)
    house.engine.published(await house.engine.publish())
    view = await house.until_phase(1, Phase.COMPLETED)
    told = await explained(house)
    assert view.path in told.why
    assert told.since == view.completed_at


async def test_one_that_waits_its_turn_is_told_whose_turn_it_is(tmp_path: Path, names: Any) -> None:
    house = names.House(tmp_path).open()
    await house.attach(configuration={"maximum_connections_per_host": 1})
    await house.submit(house.spec("a.bin"), house.spec("b.bin"))
    await house.engine.fetch()
    told = await explained(house, 2)
    assert told.waiting_for == "turn"
    assert "1 transfers of this session from host.test run" in told.why
    assert any("maximum_connections_per_host" in text for text in told.help)
    house.close()


async def test_credentials_say_who_could_give_them(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    house.engine.fail(await house.engine.fetch(), "http_status", status_code=401)
    await house.until_phase(1, Phase.WAITING, waiting_for=WaitingFor.CREDENTIALS)
    told = await explained(house)
    assert "the server answered 401 Unauthorized" in told.why
    assert "No delegate with task_did_receive_challenge" in told.why
    await house.service.deliver(U, S, epoch, True, ["challenge"])
    assert "is to be asked" in (await explained(house)).why
    [event] = await house.service.events(U, S, epoch, after=0, limit=9)
    await house.acknowledge(epoch, event.sequence)
    assert "did not answer" in (await explained(house)).why


async def test_a_date_and_a_retry(house: Any) -> None:
    await house.attach()
    date = time.time() + 3600
    await house.submit(house.spec(earliest_begin_date=date))
    told = await explained(house)
    assert (told.waiting_for, told.until) == ("earliest_begin_date", date)
    assert "earliest_begin_date = None" in told.help[0]
    await house.submit(house.spec("b.bin"))
    house.engine.fail(await house.engine.fetch(), "http_status", status_code=503, retry_after=60.0)
    view = await house.until_phase(2, Phase.WAITING, waiting_for=WaitingFor.RETRY)
    told = await explained(house, 2)
    assert "server busy" in told.why
    assert view.until is not None
    assert told.until is not None
    assert abs(told.until - view.until) < 1


async def test_decisions_are_kept_in_the_log_and_alike_ones_counted(house: Any) -> None:
    await house.attach()
    await house.submit(*(house.spec(f"{n}.bin") for n in range(30)))
    for _ in range(30):
        house.engine.fail(await house.engine.fetch(), "http_status", status_code=401)
    await house.until_phase(30, Phase.WAITING, waiting_for=WaitingFor.CREDENTIALS)
    lines = [line for line in await decided(house) if "Needs credentials" in line]
    assert lines == ["0.bin: Needs credentials (and 29 more like this)"]


def test_it_shows_itself_without_markup_of_others() -> None:
    told = Explanation(
        name="<img>", state="running", phase="waiting", waiting_for="retry", why="<b>", since=0.0,
        help=["wait"],
    )  # fmt: skip
    assert "<img>: waiting, waits for retry" in repr(told)
    assert "what helps: wait" in str(told)
    html = told._repr_html_()
    assert "<img>" not in html
    assert "&lt;b&gt;" in html
