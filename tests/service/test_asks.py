"""What a delegate is asked: it survives kernel and server, and is asked as long as it matters."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jupyter_bgdl.asks import Answer, Ask
from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.launches import LaunchCell
from jupyter_bgdl.model import EventKind, Phase, WaitingFor

U, S = "server", "era5"
CREDENTIALS = {"waiting_for": WaitingFor.CREDENTIALS}
CHALLENGE, DELAYED = EventKind.CHALLENGE, EventKind.DELAYED_REQUEST
SIGNED = "https://bucket.test/a.bin?X-Amz-Signature=old"


async def challenged(house: Any, status: int = 401, **spec: Any) -> Any:
    """A task that waits for credentials with 40 of 100 bytes; the attach's reply."""
    reply = await house.attach()
    await house.submit(house.spec(**spec))
    fetch = await house.engine.fetch()
    house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 40)
    house.engine.fail(fetch, "http_status", status_code=status)
    await house.until_phase(1, Phase.WAITING, **CREDENTIALS)
    return reply


def answer(to: Ask = "challenge", generation: int = 1, **more: Any) -> Answer:
    return Answer(to=to, generation=generation, **more)


@pytest.mark.parametrize("status", [401, 403])
async def test_R6_it_is_asked_and_goes_on_with_its_bytes(house: Any, status: int) -> None:
    reply = await challenged(house, status, headers={"Authorization": "old", "X-Other": "kept"})
    view = await house.service.task(U, S, 1)
    assert (view.challenge.status_code, view.challenge.received) == (status, 40)
    assert str(status) in view.challenge.reason
    [event] = await house.service.events(U, S, reply.epoch, after=0, limit=9)
    assert (event.kind, event.task.challenge) == (CHALLENGE, view.challenge)
    await house.service.answer(U, S, 1, answer(headers={"authorization": "new"}))
    fetch = await house.engine.fetch()
    assert (fetch.extents, fetch.validator) == ([(0, 40)], '"v"')
    assert fetch.headers == {"X-Other": "kept", "authorization": "new"}
    assert await house.kinds(reply.epoch) == []
    assert (await house.service.task(U, S, 1)).challenge is None


async def test_R6_it_survives_kernel_and_server_and_comes_again(house: Any) -> None:
    reply = await challenged(house)
    assert await house.kinds(reply.epoch) == [CHALLENGE]
    house.reopen()
    reply = await house.attach("k2", take_over=True)
    [event] = await house.service.events(U, S, reply.epoch, after=0, limit=9)
    assert (event.kind, event.redelivered) == (CHALLENGE, True)


async def test_R6_what_nobody_answered_is_asked_again_when_somebody_is_there(house: Any) -> None:
    epoch = (await challenged(house)).epoch
    [event] = await house.service.events(U, S, epoch, after=0, limit=9)
    await house.acknowledge(epoch, event.sequence)
    await house.service.deliver(U, S, epoch, True, [])
    assert await house.kinds(epoch) == []
    await house.service.deliver(U, S, epoch, True, ["challenge"])
    assert await house.kinds(epoch) == [CHALLENGE]
    await house.service.deliver(U, S, epoch, True, ["challenge"])
    assert await house.kinds(epoch) == [CHALLENGE]


async def test_R6_a_cell_that_is_run_again_with_a_new_header_takes_it_up(house: Any) -> None:
    epoch = (await challenged(house, headers={"Authorization": "old"})).epoch
    await house.submit(house.spec(headers={"Authorization": "new"}))
    fetch = await house.engine.fetch()
    assert (fetch.headers["Authorization"], fetch.extents) == ("new", [(0, 40)])
    assert await house.kinds(epoch) == []


async def test_R6_a_launch_cell_does_not_try_the_same_credentials_again(house: Any) -> None:
    await challenged(house, headers={"Authorization": "old"})
    spec = house.spec(headers={"Authorization": "old"})
    [again] = (await house.service.submit(U, S, [spec], find_only=True)).tasks
    assert again.task.waiting_for is WaitingFor.CREDENTIALS
    spec = house.spec(headers={"Authorization": "new"})
    await house.service.submit(U, S, [spec], find_only=True)
    assert (await house.engine.fetch()).headers["Authorization"] == "new"


async def test_R6_failures_are_counted_until_bytes_come(house: Any) -> None:
    await challenged(house)
    for expected, received in ((1, 40), (0, 60), (1, 60)):
        await house.service.answer(U, S, 1, answer(headers={"Authorization": "other"}))
        fetch = await house.engine.fetch()
        house.engine.checkpoint(fetch, received)
        house.engine.fail(fetch, "http_status", status_code=401)
        view = await house.until_phase(1, Phase.WAITING, received=received, **CREDENTIALS)
        assert view.challenge.previous_failure_count == expected


async def test_R5_a_signature_that_expired_waits_and_takes_a_fresh_address(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(url=SIGNED))
    house.engine.fail(await house.engine.fetch(), "http_status", status_code=403)
    view = await house.until_phase(1, Phase.WAITING, **CREDENTIALS)
    assert "=old" not in repr(view)
    with pytest.raises(InvalidRequest):
        await house.service.answer(U, S, 1, answer(url="ftp://bucket.test/a.bin"))
    with pytest.raises(InvalidRequest):
        await house.service.answer(U, S, 1, answer())
    await house.service.answer(U, S, 1, answer(url="https://other.test/a.bin?sig=new"))
    fetch = await house.engine.fetch()
    assert fetch.url == "https://other.test/a.bin?sig=new"
    assert (await house.service.task(U, S, 1)).host == "other.test"


async def test_a_plain_403_is_a_refusal(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    house.engine.fail(await house.engine.fetch(), "http_status", status_code=403)
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error.code == "http_status"


@pytest.mark.parametrize("action", ["cancel", "suspend"])
async def test_a_task_that_waits_no_more_is_not_asked_about(house: Any, action: str) -> None:
    epoch = (await challenged(house)).epoch
    await getattr(house.service, action)(U, S, 1)
    assert CHALLENGE not in await house.kinds(epoch)
    before = await house.service.task(U, S, 1)
    after = await house.service.answer(U, S, 1, answer(headers={"Authorization": "late"}))
    assert after.phase is before.phase


async def test_an_answer_to_an_older_generation_is_ignored(house: Any) -> None:
    await challenged(house)
    view = await house.service.answer(U, S, 1, answer(generation=2, headers={"A": "b"}))
    assert view.waiting_for is WaitingFor.CREDENTIALS


async def test_env_headers_are_filled_in_and_are_not_at_rest(house: Any) -> None:
    await house.attach(configuration={"additional_headers": {"X-Key": "env:KEY"}})
    await house.service.give_environment(U, S, {"KEY": "canary-key", "TOKEN": "canary-token"})
    await house.submit(house.spec(headers={"Authorization": "Bearer env:TOKEN"}))
    fetch = await house.engine.fetch()
    assert fetch.headers == {"X-Key": "canary-key", "Authorization": "Bearer canary-token"}
    stored = b"".join(path.read_bytes() for path in house.state.rglob("*") if path.is_file())
    assert b"env:TOKEN" in stored
    assert b"canary" not in stored


async def test_env_headers_wait_after_a_restart_until_a_kernel_gives_them(house: Any) -> None:
    await house.attach()
    await house.service.give_environment(U, S, {"TOKEN": "one"})
    await house.submit(house.spec(headers={"Authorization": "env:TOKEN"}))
    fetch = await house.engine.fetch()
    house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 40)
    await house.until_phase(1, Phase.RUNNING, received=40)
    house.reopen()
    view = await house.until_phase(1, Phase.WAITING, **CREDENTIALS)
    assert "TOKEN" in view.reason
    assert (view.challenge.status_code, view.attempts) == (None, 1)
    reply = await house.attach("k2", take_over=True)
    assert reply.environment == ["TOKEN"]
    await house.service.give_environment(U, S, {"TOKEN": "two"})
    fetch = await house.engine.fetch()
    assert (fetch.headers, fetch.extents) == ({"Authorization": "two"}, [(0, 40)])
    assert await house.kinds(reply.epoch) == []


async def test_env_values_that_no_header_can_have_are_refused(house: Any) -> None:
    await house.attach()
    with pytest.raises(InvalidRequest) as refused:
        await house.service.give_environment(U, S, {"TOKEN": "canary\r\nX: y"})
    assert "canary" not in str(refused.value)


async def delayed(house: Any, answers: list[str], **attach: Any) -> Any:
    """A task whose date comes soon; the attach's reply."""
    reply = await house.attach(**attach)
    await house.service.deliver(U, S, reply.epoch, True, answers)
    await house.submit(house.spec(earliest_begin_date=time.time() + 0.2))
    return reply


async def test_a_delayed_request_is_asked_about_and_can_be_replaced(house: Any) -> None:
    epoch = (await delayed(house, ["delayed_request"])).epoch
    view = await house.until_phase(1, Phase.WAITING, reason="Asks whether to begin")
    assert 250 < view.until - time.time() < 301
    assert await house.kinds(epoch) == [DELAYED]
    await house.service.answer(U, S, 1, answer("delayed_request", url=SIGNED))
    assert (await house.engine.fetch()).url == SIGNED
    assert await house.kinds(epoch) == []


async def test_a_delayed_request_may_go_on_as_it_is(house: Any) -> None:
    await delayed(house, ["delayed_request"])
    await house.until_phase(1, Phase.WAITING, reason="Asks whether to begin")
    house.reopen()
    await house.service.answer(U, S, 1, answer("delayed_request"))
    assert (await house.engine.fetch()).url == "http://host.test/a.bin"


async def test_a_delayed_request_goes_on_when_nobody_answers(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_bgdl.service.asks.DELAY", 0.2)
    epoch = (await delayed(house, ["delayed_request"])).epoch
    await house.engine.fetch()
    assert await house.kinds(epoch) == []


async def test_a_delegate_without_the_method_delays_nothing(house: Any) -> None:
    await delayed(house, ["challenge"])
    await house.engine.fetch()


async def test_a_date_that_is_moved_is_asked_about_when_it_comes(house: Any) -> None:
    from jupyter_bgdl.properties import TaskChange

    epoch = (await delayed(house, ["delayed_request"])).epoch
    await house.until_phase(1, Phase.WAITING, reason="Asks whether to begin")
    later = TaskChange(earliest_begin_date=time.time() + 3600)
    view = await house.service.change(U, S, 1, later)
    assert abs(view.until - later.earliest_begin_date) < 1
    assert await house.kinds(epoch) == []


@pytest.mark.parametrize("has_cell", [True, False])
async def test_a_delayed_request_with_no_kernel_wants_a_launch(house: Any, has_cell: bool) -> None:
    epoch = (await delayed(house, ["delayed_request"])).epoch
    if has_cell:
        cell = LaunchCell(notebook="a.ipynb", kernel_name="p", source="1", registered_at=0.0)
        await house.service.launches.register(U, S, cell)
    await house.service.detach(U, S, epoch)
    if has_cell:
        await house.until_phase(1, Phase.WAITING, reason="Asks whether to begin")
        assert [due.identifier for due in (await house.service.launches.agenda()).due] == [S]
    else:
        await house.engine.fetch()


async def test_a_challenge_with_no_kernel_wants_a_launch(house: Any) -> None:
    reply = await house.attach()
    cell = LaunchCell(notebook="a.ipynb", kernel_name="p", source="1", registered_at=0.0)
    await house.service.launches.register(U, S, cell)
    await house.submit(house.spec(), house.spec("b.bin"))
    fetch = await house.engine.fetch()
    await house.service.detach(U, S, reply.epoch)
    assert (await house.service.launches.agenda()).due == []
    house.engine.fail(fetch, "http_status", status_code=401)
    await house.until_phase(1, Phase.WAITING, **CREDENTIALS)
    assert [due.identifier for due in (await house.service.launches.agenda()).due] == [S]
