"""What is tried again, how often, and when."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jupyter_bgdl.engine.outcomes import OUTCOMES
from jupyter_bgdl.engine.protocol import Attempt, Failed
from jupyter_bgdl.errors import by_code
from jupyter_bgdl.model import Phase, WaitingFor
from jupyter_bgdl.service.policy import Again, Give, History, Settings, backoff, judge
from jupyter_bgdl.service.rates import Meter

U, S = "server", "era5"
SETTINGS = Settings()


def failed(code: str, **more: Any) -> Failed:
    return Failed(attempt=Attempt(1, 1), code=code, **more)


def history(**more: Any) -> History:
    nothing = {"received": 0, "tries": 0, "status_tries": 0, "name_tries": 0, "refetched": False}
    return History(**{"method": "GET", **nothing, **more})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_S20_busy_servers_are_asked_five_times_more(status: int) -> None:
    for tries in range(5):
        again = judge(
            failed("http_status", status_code=status), history(status_tries=tries), SETTINGS
        )
        assert isinstance(again, Again)
        assert (again.waiting_for, again.status_tries) == (WaitingFor.RETRY, tries + 1)
    give = judge(failed("http_status", status_code=status), history(status_tries=5), SETTINGS)
    assert isinstance(give, Give)
    assert give.code == "http_status"
    give = judge(failed("http_status", status_code=status), history(method="POST"), SETTINGS)
    assert isinstance(give, Give)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 451])
def test_S21_other_statuses_are_final(status: int) -> None:
    assert isinstance(judge(failed("http_status", status_code=status), history(), SETTINGS), Give)


@pytest.mark.parametrize(("asked", "delay"), [(7.0, 7.0), (-5.0, 0.0), (1e9, 3600.0)])
def test_S19_retry_after_is_honoured_and_capped(asked: float, delay: float) -> None:
    again = judge(failed("http_status", status_code=429, retry_after=asked), history(), SETTINGS)
    assert isinstance(again, Again)
    assert again.delay == delay


def test_N6_a_name_that_does_not_resolve() -> None:
    for tries in range(2):
        again = judge(failed("name_not_resolved"), history(name_tries=tries), SETTINGS)
        assert isinstance(again, Again)
    assert isinstance(judge(failed("name_not_resolved"), history(name_tries=2), SETTINGS), Give)
    later = judge(failed("name_not_resolved"), history(name_tries=2, received=1), SETTINGS)
    assert isinstance(later, Again)
    assert later.waiting_for is WaitingFor.NETWORK


@pytest.mark.parametrize("code", ["refused", "unreachable"])
def test_N11_the_network_is_waited_for_without_end(code: str) -> None:
    again = judge(failed(code), history(tries=10_000), SETTINGS)
    assert isinstance(again, Again)
    assert again.waiting_for is WaitingFor.NETWORK
    assert again.delay <= SETTINGS.network_retry


@pytest.mark.parametrize("code", ["connection", "stalled", "truncated"])
def test_N2_a_lost_connection_is_tried_again_without_end(code: str) -> None:
    again = judge(failed(code), history(tries=10_000), SETTINGS)
    assert isinstance(again, Again)
    assert (again.waiting_for, again.from_zero) == (WaitingFor.RETRY, False)
    assert again.delay <= SETTINGS.backoff_cap


def test_P1_a_dead_worker_does_not_count() -> None:
    again = judge(failed("worker_died"), history(tries=3), SETTINGS)
    assert isinstance(again, Again)
    assert (again.delay, again.tries, again.waiting_for) == (0.0, 3, WaitingFor.TURN)


def test_R6_credentials_are_waited_for() -> None:
    again = judge(failed("http_status", status_code=401), history(), SETTINGS)
    assert isinstance(again, Again)
    assert (again.waiting_for, again.delay) == (WaitingFor.CREDENTIALS, math.inf)


@pytest.mark.parametrize("code", sorted(OUTCOMES))
def test_every_outcome_of_the_engine_ends_somewhere(code: str) -> None:
    worst = history(tries=99, status_tries=99, name_tries=99, refetched=True)
    for decision in (
        judge(failed(code), history(), SETTINGS),
        judge(failed(code), worst, SETTINGS),
    ):
        if isinstance(decision, Give):
            assert decision.code in by_code
            assert decision.message
            assert 1 <= len(decision.reason.split()) <= 5


def test_backoff_doubles_with_jitter_up_to_its_cap() -> None:
    for tries in range(40):
        whole = min(300.0, 2.0**tries)
        assert all(whole / 2 <= backoff(tries, 1.0, 300.0) <= whole for _ in range(20))


def test_the_rate_is_the_mean_of_five_seconds() -> None:
    meter = Meter(0, now=0.0)
    for second in range(1, 11):
        meter.add(second * 100, now=float(second))
    assert meter.rate(now=10.0) == 100.0
    assert meter.rate(now=30.0) == 0.0
    meter.add(0, now=31.0)
    assert meter.rate(now=31.0) == 0.0


async def test_S20_six_answers_then_an_error_with_a_destination(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    for attempt in range(6):
        fetch = await house.engine.fetch()
        assert (fetch.last, fetch.error_bodies) == (attempt == 5, False)
        house.engine.fail(fetch, "http_status", status_code=503)
    view = await house.until_phase(1, Phase.COMPLETED, attempts=6)
    assert view.error
    assert view.error.code == "http_status"
    assert "503" in view.error.message
    assert view.response
    assert view.response.status_code == 503


async def test_without_a_destination_the_status_is_a_response(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(destination=None, staging=str(house.home / "staging")))
    fetch = await house.engine.fetch()
    assert fetch.error_bodies
