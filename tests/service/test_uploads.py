"""Uploads in the ledger: what is refused, found again, resumed, and never sent twice."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.engine.protocol import Failed, Resumable, Resumption, Upload, Uploaded, Withdraw
from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.model import EventKind, Match, Phase, Request, TaskKind, TaskSpec, WaitingFor

URL = "https://host.test/put?signature=secret"
AT = Resumption("tus", "https://host.test/files/1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "result.nc"
    path.write_bytes(b"x" * 1000)
    return path


def spec(file: Path | str, method: str = "POST", **more: Any) -> TaskSpec:
    request = Request(URL, method, {"Authorization": "Bearer s"})
    return TaskSpec(request=request, from_file=str(file), **more)


async def next_unit(house: Any) -> Any:
    return await asyncio.to_thread(house.engine.units.get, True, 20)


def answer(house: Any, unit: Upload, status: int = 200, content: bytes = b"thanks") -> None:
    house.engine.say(
        Uploaded(attempt=unit.attempt, url=URL, status_code=status, headers={}, content=content)
    )


async def test_an_upload_is_sent_and_its_answer_kept(house: Any, file: Path, names: Any) -> None:
    attached = await house.attach(configuration={"additional_headers": {"X-All": "1"}})
    [(match, view)] = await house.submit(spec(file))
    assert match == "created"
    assert (view.kind, view.name, view.total) == (TaskKind.UPLOAD, "result.nc", 1000)
    assert "secret" not in view.url
    unit = await next_unit(house)
    assert isinstance(unit, Upload)
    assert unit.headers == {"X-All": "1", "Authorization": "Bearer s"}
    assert (unit.source.path, unit.source.size) == (str(file), 1000)
    assert unit.source.modified == file.stat().st_mtime_ns
    answer(house, unit)
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error is None
    assert (view.received, view.path, view.response.status_code) == (1000, None, 200)
    assert "secret" not in view.response.url
    assert await house.service.content(names.user, names.session, 1) == b"thanks"
    kinds = await house.kinds(attached.epoch)
    assert kinds == [EventKind.COMPLETED, EventKind.SESSION_FINISHED]


@pytest.mark.parametrize("what", ["missing", "folder", "pipe", "unreadable", "loop"])
async def test_a_file_that_cannot_be_sent_is_refused(house: Any, tmp_path: Path, what: str) -> None:
    await house.attach()
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path)
    elif what == "unreadable":
        path = Path("/proc/self/mem/x")
    with pytest.raises(InvalidRequest, match="from_file"):
        await house.submit(spec(path))
    assert await house.submit(house.spec()) is not None


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"method": "GET"}, "PUT, POST, PATCH"),
        ({"destination": "/tmp/x"}, "destination"),
        ({"checksum": "md5:" + 32 * "0"}, "checksum"),
        ({"mirrors": ["https://host.test/"]}, "mirrors"),
    ],
)
async def test_what_an_upload_cannot_have_is_refused(
    house: Any, file: Path, more: dict[str, Any], word: str
) -> None:
    await house.attach()
    with pytest.raises(InvalidRequest, match=word):
        await house.submit(spec(file, **more))


@pytest.mark.parametrize("path", ["relative", "", "/a\0b", "/folder/"])
async def test_a_path_that_cannot_be_is_refused(house: Any, path: str) -> None:
    await house.attach()
    with pytest.raises(InvalidRequest, match="from_file"):
        await house.submit(spec(path))


async def test_submitted_again_it_is_found_by_method_address_and_file(
    house: Any, file: Path, tmp_path: Path
) -> None:
    await house.attach()
    await house.submit(spec(file))
    [(match, view)] = await house.submit(spec(file))
    assert (match, view.task_identifier) == (Match.FOUND, 1)
    other = tmp_path / "other"
    other.write_bytes(b"")
    [(_, third), (_, fourth)] = await house.submit(spec(file, "PUT"), spec(other))
    assert {third.task_identifier, fourth.task_identifier} == {2, 3}
    answer(house, await next_unit(house))
    await house.until_phase(1, Phase.COMPLETED)
    [(match, view)] = await house.submit(spec(file))
    assert (match, view.generation) == (Match.FOUND, 1)


async def test_a_file_that_changed_since_is_sent_again(house: Any, file: Path) -> None:
    await house.attach()
    await house.submit(spec(file))
    answer(house, await next_unit(house))
    await house.until_phase(1, Phase.COMPLETED)
    file.write_bytes(b"y" * 7)
    [(match, view)] = await house.submit(spec(file))
    assert (match, view.generation, view.total) == (Match.REOPENED, 2, 7)
    assert (await next_unit(house)).source.size == 7


async def test_one_that_the_server_refused_is_sent_again(
    house: Any, file: Path, names: Any
) -> None:
    await house.attach()
    await house.submit(spec(file))
    answer(house, await next_unit(house), 413, b"too large")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.error, view.response.status_code) == (None, 413)
    [(match, _)] = await house.submit(spec(file))
    assert match == Match.REOPENED
    with pytest.raises(InvalidRequest):
        await house.service.content(names.user, names.session, 1)


async def test_U1_a_resumable_upload_goes_on_after_worker_and_server_died(
    house: Any, file: Path
) -> None:
    await house.attach()
    await house.submit(spec(file))
    unit = await next_unit(house)
    assert unit.resumption is None
    house.engine.say(Resumable(unit.attempt, AT))
    house.engine.fail(unit, "worker_died")
    unit = await next_unit(house)
    assert unit.resumption == AT
    house.reopen()
    unit = await next_unit(house)
    assert unit.resumption == AT
    house.engine.fail(unit, "connection")
    assert (await next_unit(house)).resumption == AT


async def test_U1_a_put_begins_again_after_worker_and_server_died(house: Any, file: Path) -> None:
    await house.attach()
    await house.submit(spec(file, "PUT"))
    house.engine.fail(await next_unit(house), "worker_died")
    await next_unit(house)
    house.reopen()
    house.engine.fail(await next_unit(house), "stalled")
    assert isinstance(await next_unit(house), Upload)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_U1_a_post_that_may_have_arrived_is_never_sent_again(
    house: Any, file: Path, method: str
) -> None:
    attached = await house.attach()
    await house.submit(spec(file, method))
    house.engine.fail(await next_unit(house), "worker_died")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.reason, view.error.code) == ("answer was lost", "transfer_error")
    assert method in view.error.message
    [(match, _)] = await house.submit(spec(file, method))
    assert match == Match.REOPENED
    await next_unit(house)
    house.reopen()
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.reason, view.generation) == ("answer was lost", 2)
    assert house.engine.units.empty()
    kinds = await house.kinds((await house.attach()).epoch)
    assert kinds.count(EventKind.COMPLETED) == 2
    assert attached.created


async def test_U1_an_answer_that_is_lost_is_final(house: Any, file: Path) -> None:
    await house.attach()
    await house.submit(spec(file))
    house.engine.fail(await next_unit(house), "response_lost", message="gone")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.error.message, view.reason) == ("gone", "answer was lost")


async def test_U1_paused_too_late_a_post_is_not_sent_again(
    house: Any, file: Path, names: Any
) -> None:
    await house.attach()
    await house.submit(spec(file))
    unit = await next_unit(house)
    house.engine.answers_stop = False
    await house.service.suspend(names.user, names.session, 1)
    house.engine.fail(unit, "response_lost", message="gone")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error.message == "gone"


async def test_U1_paused_while_the_worker_died_a_post_is_not_sent_again(
    house: Any, file: Path, names: Any
) -> None:
    await house.attach()
    await house.submit(spec(file))
    unit = await next_unit(house)
    house.engine.answers_stop = False
    await house.service.suspend(names.user, names.session, 1)
    house.engine.fail(unit, "worker_died")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.reason == "answer was lost"


@pytest.mark.parametrize("action", ["suspend", "cancel"])
async def test_an_answer_that_comes_while_it_is_stopped_counts(
    house: Any, file: Path, names: Any, action: str
) -> None:
    await house.attach()
    await house.submit(spec(file))
    unit = await next_unit(house)
    house.engine.answers_stop = False
    await getattr(house.service, action)(names.user, names.session, 1)
    answer(house, unit)
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (view.error, view.response.status_code) == (None, 200)


async def test_U3_a_changed_source_is_an_error_and_retried_as_it_is_then(
    house: Any, file: Path, names: Any
) -> None:
    await house.attach()
    await house.submit(spec(file))
    unit = await next_unit(house)
    house.engine.say(Resumable(unit.attempt, AT))
    house.engine.fail(unit, "source_changed", message="The file changed.")
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error.code == "source_changed"
    file.write_bytes(b"z")
    await house.service.retry(names.user, names.session, 1)
    units = [await next_unit(house) for _ in range(2)]
    upload = next(u for u in units if isinstance(u, Upload))
    withdrawn = next(u for u in units if isinstance(u, Withdraw))
    assert (upload.resumption, upload.source.size) == (None, 1)
    assert withdrawn.upload.resumption == AT
    assert withdrawn.attempt != upload.attempt
    house.engine.say(Failed(attempt=withdrawn.attempt, code="stopped"))
    answer(house, upload)
    assert (await house.until_phase(1, Phase.COMPLETED)).error is None


async def test_U3_a_file_written_anew_while_it_waits_is_sent_as_it_is_then(
    house: Any, file: Path
) -> None:
    await house.attach()
    await house.submit(spec(file, resume=False))
    file.write_bytes(b"newer")
    await house.submit(spec(file))
    assert (await next_unit(house)).source.size == 5


@pytest.mark.parametrize("moment", ["running", "waiting"])
async def test_U4_a_cancelled_upload_is_withdrawn_from_the_server(
    house: Any, file: Path, names: Any, moment: str
) -> None:
    await house.attach()
    await house.submit(spec(file))
    unit = await next_unit(house)
    house.engine.say(Resumable(unit.attempt, AT))
    if moment == "waiting":
        house.engine.fail(unit, "http_status", status_code=401)
        await house.until_phase(1, Phase.WAITING, waiting_for=WaitingFor.CREDENTIALS)
    await house.service.cancel(names.user, names.session, 1)
    withdrawn = await next_unit(house)
    assert isinstance(withdrawn, Withdraw)
    assert (withdrawn.upload.resumption, withdrawn.upload.url) == (AT, URL)
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.error.code == "cancelled"
    house.engine.say(Failed(attempt=withdrawn.attempt, code="stopped"))
    await house.service.retry(names.user, names.session, 1)
    assert (await next_unit(house)).resumption is None


async def test_U5_a_refused_login_waits_for_credentials(house: Any, file: Path) -> None:
    await house.attach()
    await house.submit(spec(file))
    house.engine.fail(await next_unit(house), "http_status", status_code=401)
    await house.until_phase(1, Phase.WAITING, waiting_for=WaitingFor.CREDENTIALS)
    await house.submit(spec(file))
    assert isinstance(await next_unit(house), Upload)


async def test_the_last_try_takes_a_busy_answer_for_the_response(house: Any, file: Path) -> None:
    await house.attach()
    await house.submit(spec(file, "PUT"))
    for _ in range(5):
        unit = await next_unit(house)
        assert not unit.last
        house.engine.fail(unit, "http_status", status_code=503, retry_after=0.0)
    assert (await next_unit(house)).last
