"""A task's life, driven through a scripted engine; one terminal event per generation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import Failed, Progress, Published
from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.model import EventKind, IfExists, Phase, TaskState, WaitingFor

U, S = "server", "era5"
DONE = [EventKind.FINISHED_DOWNLOADING, EventKind.COMPLETED, EventKind.SESSION_FINISHED]


async def test_a_download_runs_publishes_and_tells_in_order(house: Any) -> None:
    epoch = (await house.attach()).epoch
    [(match, view)] = await house.submit(house.spec())
    assert (match, view.phase, view.state) == ("created", Phase.WAITING, TaskState.RUNNING)
    fetch = await house.engine.fetch()
    assert (fetch.folder, fetch.name) == (str(house.home / "out"), "a.bin")
    part = house.engine.headers(fetch)
    house.engine.say(Progress(fetch.attempt, 60))
    await house.until_phase(1, Phase.RUNNING, received=60, total=100)
    house.engine.ready(fetch, part)
    publish = await house.engine.publish()
    assert (await house.service.task(U, S, 1)).phase is Phase.FINISHING
    assert publish.attempt.number > fetch.attempt.number
    house.engine.published(publish)
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.error, view.path) == (None, str(house.home / "out" / "a.bin"))
    assert await house.kinds(epoch) == DONE
    session = await house.service.session(U, S)
    assert (session.counts.done, session.received, session.total) == (1, 100, 100)


async def test_views_only_get_newer(house: Any) -> None:
    await house.attach()
    [(_, first)] = await house.submit(house.spec(resume=False))
    second = await house.service.resume(U, S, 1)
    assert second.revision > first.revision
    house.reopen()
    assert (await house.service.task(U, S, 1)).revision > second.revision


async def test_reports_of_an_older_attempt_are_ignored(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    first = await house.engine.fetch()
    house.engine.fail(first, "connection")
    second = await house.engine.fetch()
    house.engine.say(Failed(attempt=first.attempt, code="tls"), Published(first.attempt, "/x"))
    house.engine.headers(second)
    view = await house.until_phase(1, Phase.RUNNING, total=100)
    assert view.error is None


async def test_suspend_keeps_the_bytes_and_waits_until_the_engine_let_go(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 40)
    await house.until_phase(1, Phase.RUNNING, received=40)
    assert (await house.service.suspend(U, S, 1)).phase is Phase.SUSPENDED
    assert (await house.service.resume(U, S, 1)).phase is Phase.WAITING
    assert house.engine.units.empty(), "two attempts would hold one part"
    house.engine.fail(fetch, "stopped", extents=[(0, 50)])
    again = await house.engine.fetch()
    assert (again.part, again.extents, again.validator) == (part, [(0, 50)], '"v"')


async def test_all_of_a_session_is_paused_and_nothing_begins_meanwhile(house: Any) -> None:
    await house.attach()
    await house.submit(*(house.spec(f"{number}.bin") for number in range(450)))
    begun = house.engine.units.qsize()
    paused = (await house.service.pause_all(U, S)).counts
    assert (paused.suspended, paused.waiting, paused.running) == (450, 0, 0)
    assert house.engine.units.qsize() == begun > 0
    resumed = (await house.service.resume_all(U, S)).counts
    assert resumed.suspended == 0
    assert resumed.waiting + resumed.running == 450


async def test_what_became_ready_while_suspended_is_published_on_resume(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    await house.service.suspend(U, S, 1)
    house.engine.ready(fetch, part)
    await house.until_phase(1, Phase.SUSPENDED, received=100)
    await house.service.resume(U, S, 1)
    house.engine.published(await house.engine.publish())
    await house.until_phase(1, Phase.COMPLETED)


async def test_cancel_deletes_the_part_once_the_engine_let_go(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    await house.until_phase(1, Phase.RUNNING, total=100)
    assert (await house.service.cancel(U, S, 1)).state is TaskState.CANCELING
    assert Path(part.path).exists()
    house.engine.fail(fetch, "stopped")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error
    assert view.error.code == "cancelled"
    assert await house.kinds(epoch) == [EventKind.COMPLETED, EventKind.SESSION_FINISHED]
    house.close()
    assert not Path(part.path).exists()


@pytest.mark.parametrize("winner", ["published", "stopped"])
async def test_E9_cancel_races_completion(house: Any, winner: str) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    house.engine.ready(fetch, house.engine.headers(fetch))
    publish = await house.engine.publish()
    await house.service.cancel(U, S, 1)
    if winner == "published":
        house.engine.published(publish)
        house.engine.fail(publish, "stopped")
    else:
        house.engine.fail(publish, "stopped")
        house.engine.say(Published(publish.attempt, publish.target))
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.error is None) == (winner == "published")
    await house.service.cancel(U, S, 1)
    assert (await house.kinds(epoch)).count(EventKind.COMPLETED) == 1


async def test_retry_is_a_new_generation_with_its_own_terminal_event(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 30)
    house.engine.fail(fetch, "tls", message="certificate expired")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error
    assert (view.error.code, view.error.message) == ("transfer_error", "certificate expired")
    assert Path(part.path).exists()
    view = await house.service.retry(U, S, 1)
    assert (view.generation, view.state, view.error) == (2, TaskState.RUNNING, None)
    again = await house.engine.fetch()
    assert (again.part, again.extents) == (part, [(0, 30)])
    house.engine.ready(again, house.engine.headers(again, part=part, received=30))
    house.engine.published(await house.engine.publish())
    await house.until_phase(1, Phase.COMPLETED, generation=2)
    kinds = await house.kinds(epoch)
    assert kinds == [EventKind.COMPLETED, *DONE], "the first finish was retracted"


async def test_a_part_that_is_lost_begins_again_from_zero(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 30)
    house.engine.fail(fetch, "part_lost")
    again = await house.engine.fetch()
    assert (again.part, again.extents, again.validator) == (None, [], None)
    house.engine.headers(again)
    await house.until_phase(1, Phase.RUNNING, received=0, total=100)


async def test_progress_does_not_fall_when_the_worker_dies(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 30)
    house.engine.say(Progress(fetch.attempt, 70))
    await house.until_phase(1, Phase.RUNNING, received=70)
    house.engine.fail(fetch, "worker_died")
    again = await house.engine.fetch()
    house.engine.headers(again, part=part, received=30)
    house.engine.say(Progress(again.attempt, 40))
    view = await house.until_phase(1, Phase.RUNNING, attempts=2)
    assert view.received == 70


async def test_a_wrong_checksum_is_fetched_again_once(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(checksum="md5:" + "0" * 32))
    first = await house.engine.fetch()
    part = house.engine.headers(first)
    house.engine.fail(first, "checksum_mismatch")
    second = await house.engine.fetch()
    assert second.part is None
    house.engine.headers(second)
    house.engine.fail(second, "checksum_mismatch")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error
    assert view.error.code == "checksum_mismatch"
    house.close()
    assert not Path(part.path).exists()


async def test_a_full_disk_waits_and_goes_on(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    house.engine.fail(await house.engine.fetch(), "disk_space")
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED, error=None)


async def test_R6_a_401_waits_for_credentials_until_the_cell_brings_them(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(headers={"Authorization": "old"}))
    house.engine.fail(await house.engine.fetch(), "http_status", status_code=401)
    await house.until_phase(1, Phase.WAITING, waiting_for=WaitingFor.CREDENTIALS)
    [(match, _)] = await house.submit(house.spec(headers={"Authorization": "new"}))
    assert match == "found"
    assert (await house.engine.fetch()).headers == {"Authorization": "new"}


async def test_the_resource_timeout_ends_the_task(house: Any) -> None:
    await house.attach(configuration={"timeout_for_resource": 0.05})
    await house.submit(house.spec())
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error
    assert view.error.code == "transfer_timeout"


@pytest.mark.parametrize("ends", ["stopped", "ready"])
async def test_D10_the_second_name_in_a_folder_is_refused_when_it_is_known(
    house: Any, ends: str
) -> None:
    await house.attach()
    folder = str(house.home / "in") + "/"
    await house.submit(
        house.spec("a?1", destination=folder, if_exists=IfExists.REPLACE),
        house.spec("a?2", destination=folder, if_exists=IfExists.REPLACE),
    )
    first, second = await house.engine.fetch(), await house.engine.fetch()
    house.engine.headers(first)
    part = house.engine.headers(second)
    if ends == "ready":
        house.engine.ready(second, part)
    view = await house.until_phase(2, Phase.COMPLETED)
    assert view.error
    assert view.error.code == "destination_exists"
    house.close()
    assert not Path(part.path).exists()


async def test_remove_forgets_the_task_and_leaves_the_file(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    with pytest.raises(InvalidRequest):
        await house.service.remove(U, S, 1)
    await house.engine.bring()
    view = await house.until_phase(1, Phase.COMPLETED)
    await house.service.remove(U, S, 1)
    assert Path(view.path).exists()
    session = await house.service.session(U, S)
    assert (session.counts.done, session.received, session.undelivered) == (0, 0, 1)
