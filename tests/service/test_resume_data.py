"""Resume data: what was fetched outlives its task, for whoever has the token, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.errors import DestinationExists, InvalidRequest, InvalidResumeData
from jupyter_bgdl.model import PROTOCOL, AttachRequest, Phase, Request, TaskSpec
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.resume_data import ResumeRequest

U, S = "server", "era5"


async def cancelled(house: Any, **spec: Any) -> tuple[str, Path]:
    """Resume data of a download of which 60 of 100 bytes are on disk, and its part."""
    await house.submit(house.spec(**spec))
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 60)
    await house.until_phase(1, Phase.RUNNING, received=60)
    reply = await house.service.cancel_for_resume(U, S, 1)
    assert reply.task.error.code == "cancelled"
    assert Path(part.path).exists()
    return reply.resume_data, Path(part.path)


async def test_another_session_goes_on_where_it_was(house: Any) -> None:
    await house.attach()
    token, part = await cancelled(house, url="http://u:secret@host.test/a?sig=x", priority=0.7)
    assert "secret" not in token
    assert len(token) < 64
    house.reopen()
    await house.attach(session="other")
    request = ResumeRequest(resume_data=token, properties=TaskChange(description="again"))
    made = await house.service.resume_from(U, "other", request)
    view = made.task
    assert (made.match, view.phase, view.received, view.total) == ("created", "suspended", 60, 100)
    assert (view.priority, view.description, view.resumed_at) == (0.7, "again", None)
    await house.service.resume(U, "other", 1)
    fetch = await house.engine.fetch()
    assert (fetch.url, fetch.extents, fetch.validator) == (
        "http://u:secret@host.test/a?sig=x",
        [(0, 60)],
        '"v"',
    )
    assert (fetch.part.path, fetch.folder) == (str(part), str(house.home / "out"))
    house.engine.headers(fetch, part=fetch.part, received=60)

    async def goes_on() -> bool:
        return (await house.service.task(U, "other", 1)).resumed_at == 60

    await house.until(goes_on)


async def test_what_is_kept_is_counted_and_no_clean_up_takes_it(house: Any) -> None:
    await house.attach()
    token, part = await cancelled(house)
    with part.open("wb") as file:
        file.write(bytes(100_000))
    held = part.stat().st_blocks * 512
    assert held >= 100_000
    report = await house.service.usage(U)
    assert (report.kept, report.total) == (held, held)
    await house.service.clean(U, None)
    await house.service.purge(U, S)
    report = await house.service.usage(U)
    assert (report.sessions, report.kept, report.total) == ([], held, held)
    await house.attach(session="other")
    await house.service.resume_from(U, "other", ResumeRequest(resume_data=token))
    report = await house.service.usage(U)
    assert (report.kept, report.total) == (0, held), "it is a task's now"
    assert report.sessions[0].parts == held


async def test_a_part_that_is_begun_anew_was_not_resumed(house: Any) -> None:
    await house.attach()
    token, part = await cancelled(house)
    await house.service.resume_from(U, S, ResumeRequest(resume_data=token))
    await house.service.resume(U, S, 1)
    fetch = await house.engine.fetch()
    anew = Path(f"{part}.new")
    anew.write_bytes(b"")
    status = anew.stat()
    house.engine.headers(
        fetch, part=type(fetch.part)(str(anew), status.st_dev, status.st_ino), total=90
    )
    view = await house.until_phase(1, Phase.RUNNING, total=90)
    assert view.resumed_at is None


async def test_each_is_used_once_and_the_same_call_finds_its_task(house: Any) -> None:
    await house.attach()
    token, _ = await cancelled(house)
    request = ResumeRequest(resume_data=token)
    first = await house.service.resume_from(U, S, request)
    assert (first.match, first.task.generation) == ("reopened", 2)
    again = await house.service.resume_from(U, S, request)
    assert (again.match, again.task.task_identifier) == ("found", 1)
    await house.attach(session="other")
    with pytest.raises(InvalidResumeData, match="used already"):
        await house.service.resume_from(U, "other", request)
    assert (await house.service.tasks(U, "other")).tasks == []
    await house.service.cancel(U, S, 1)
    with pytest.raises(InvalidResumeData, match="used already"):
        await house.service.resume_from(U, S, request)


@pytest.mark.parametrize("what", ["altered", "cut", "gone", "replaced", "shorter", "stranger"])
async def test_what_is_not_what_it_was_is_refused(house: Any, what: str) -> None:
    await house.attach()
    token, part = await cancelled(house)
    user = U
    if what == "altered":
        token = ("A" if token[0] != "A" else "B") + token[1:]
    elif what == "cut":
        token = token[:-1]
    elif what == "gone":
        part.unlink()
    elif what == "replaced":
        part.rename(f"{part}.old")
        part.write_bytes(b"x" * 100)
    elif what == "shorter":
        with part.open("r+b") as file:
            file.truncate(59)
    else:
        user = "somebody else"
        await house.service.attach(user, S, (await _attach_request(house)))
    with pytest.raises(InvalidResumeData):
        await house.service.resume_from(user, S, ResumeRequest(resume_data=token))
    assert all(task.phase is Phase.COMPLETED for task in (await house.service.tasks(user, S)).tasks)


async def _attach_request(house: Any) -> Any:
    return AttachRequest(protocol=PROTOCOL, kernel=house.kernel("k9"))


async def test_to_another_place(house: Any) -> None:
    await house.attach()
    token, part = await cancelled(house)
    elsewhere = str(house.home / "elsewhere" / "b.bin")
    Path(elsewhere).parent.mkdir()
    Path(elsewhere).write_bytes(b"mine")
    with pytest.raises(DestinationExists):
        await house.service.resume_from(
            U, S, ResumeRequest(resume_data=token, destination=elsewhere)
        )
    Path(elsewhere).unlink()
    made = await house.service.resume_from(
        U, S, ResumeRequest(resume_data=token, destination=elsewhere)
    )
    await house.service.resume(U, S, made.task.task_identifier)
    fetch = await house.engine.fetch()
    house.engine.ready(fetch, house.engine.headers(fetch, part=fetch.part, received=60))
    house.engine.published(await house.engine.publish())
    await house.until_phase(made.task.task_identifier, Phase.COMPLETED)
    assert Path(elsewhere).exists()
    assert not part.exists()


async def test_a_staged_one_is_staged_where_its_new_task_is(house: Any) -> None:
    await house.attach()
    staging = house.home / "staging"
    token, part = await cancelled(house, destination=None, staging=str(staging))
    await house.attach(session="other")
    request = ResumeRequest(resume_data=token, staging=str(house.home / "new"))
    await house.service.resume_from(U, "other", request)
    await house.service.resume(U, "other", 1)
    fetch = await house.engine.fetch()
    assert fetch.part.path == str(part)
    house.engine.ready(fetch, house.engine.headers(fetch, part=fetch.part, received=60))
    publish = await house.engine.publish()
    assert Path(publish.target).parent == house.home / "new" / "other" / "1-1"
    assert Path(publish.keep).parent == Path(publish.target).parent
    house.engine.published(publish)

    async def done() -> bool:
        return (await house.service.task(U, "other", 1)).phase is Phase.COMPLETED

    await house.until(done)
    assert Path((await house.service.task(U, "other", 1)).path).stat().st_size == 100


async def test_there_is_none_where_it_would_be_of_no_use(house: Any, tmp_path: Path) -> None:
    await house.attach()
    await house.submit(house.spec(resume=False))
    assert (await house.service.cancel_for_resume(U, S, 1)).resume_data is None
    assert (await house.service.cancel_for_resume(U, S, 1)).resume_data is None, "it is over"
    source = tmp_path / "up.bin"
    source.write_bytes(b"x")
    upload = TaskSpec(request=Request("http://h/", "PUT"), from_file=str(source), resume=False)
    [(_, view)] = await house.submit(upload)
    with pytest.raises(InvalidRequest, match="upload"):
        await house.service.cancel_for_resume(U, S, view.task_identifier)


async def test_E9_a_file_that_was_done_first_is_done(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    house.engine.answers_stop = False
    fetch = await house.engine.fetch()
    house.engine.ready(fetch, house.engine.headers(fetch))
    publish = await house.engine.publish()
    wish = asyncio.create_task(house.service.cancel_for_resume(U, S, 1))
    await house.until_phase(1, Phase.CANCELING)
    house.engine.published(publish)
    reply = await wish
    assert (reply.resume_data, reply.task.error) == (None, None)


async def test_what_nobody_used_in_a_month_goes(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.attach()
    token, part = await cancelled(house)
    monkeypatch.setattr("jupyter_bgdl.service.kept_parts.KEEP", -1.0)
    house.reopen()
    async with asyncio.timeout(20):
        while part.exists():
            await house.service.session(U, S)
    with pytest.raises(InvalidResumeData, match="unknown"):
        await house.service.resume_from(U, S, ResumeRequest(resume_data=token))
