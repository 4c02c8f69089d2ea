"""Submitting twice is safe; bad input gets a typed error and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.errors import (
    DestinationExists,
    DestinationNotAllowed,
    IncompatibleServer,
    InvalidRequest,
    OtherFilesystem,
    TaskNotFound,
)
from jupyter_bgdl.model import AttachRequest, IfExists, Phase, Request, TaskSpec

U, S = "server", "era5"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://h/a", "http"),
        ("file:///etc/passwd", "http"),
        ("//h/a", "http"),
        ("h/a", "http"),
        ("", "http"),
        ("http://", "host"),
        ("http:///a", "host"),
        ("http://h:port/a", "parsed"),
        ("http://h:99999/a", "parsed"),
        ("http://[::1/a", "parsed"),
        ("http://h/a b", "space"),
        ("http://h/a\r\nX: y", "line break"),
        ("http://h%2f/a", "host"),
        ("http://h\\x/a", "backslash"),
    ],
)
async def test_T11_a_bad_url_is_refused(house: Any, url: str, words: str) -> None:
    await house.attach()
    with pytest.raises(InvalidRequest, match=words):
        await house.submit(house.spec(), house.spec("b", url=url))
    with pytest.raises(InvalidRequest, match=words):
        await house.submit(house.spec(mirrors=[url]))
    assert (await house.service.tasks(U, S)).tasks == [], "all or nothing"
    assert not (house.home / "out").exists()


@pytest.mark.parametrize(
    "more",
    [
        {"checksum": "crc32:00000000"},
        {"checksum": "sha256:abcd"},
        {"checksum": "md5:" + "g" * 32},
        {"checksum": "d41d8cd98f00b204e9800998ecf8427e"},
        {"destination": "relative/a"},
        {"destination": "/a\0b"},
        {"destination": None},
        {"destination": None, "staging": "relative"},
        {"headers": {"A b": "c"}},
        {"headers": {"A": "b\r\nC: d"}},
        {"headers": {"Range": "bytes=0-1"}},
        {"key": ""},
    ],
)
async def test_a_bad_spec_is_refused(house: Any, more: dict[str, Any]) -> None:
    await house.attach()
    with pytest.raises(InvalidRequest):
        await house.submit(house.spec(**more))
    assert (await house.service.tasks(U, S)).tasks == []


@pytest.mark.parametrize("place", ["/proc/x/a", "/dev/null", "/dev/null/a", "/out/" + "n" * 256])
async def test_D3_where_nothing_may_be_written(house: Any, place: str) -> None:
    await house.attach()
    with pytest.raises(DestinationNotAllowed):
        await house.submit(house.spec(destination=place))


async def test_a_file_in_the_way_of_a_folder(house: Any) -> None:
    await house.attach()
    (house.home / "out").write_text("a file")
    with pytest.raises(DestinationNotAllowed, match="not a folder"):
        await house.submit(house.spec())


async def test_a_destination_that_exists(house: Any) -> None:
    await house.attach()
    (house.home / "out").mkdir()
    (house.home / "out" / "a.bin").write_text("mine")
    with pytest.raises(DestinationExists):
        await house.submit(house.spec())
    for choice in (IfExists.REPLACE, IfExists.RENAME):
        await house.submit(house.spec(url=f"http://h/{choice}", if_exists=choice))
        await house.service.cancel(
            U, S, (await house.service.tasks(U, S)).tasks[-1].task_identifier
        )
        await house.engine.fetch()

        async def done() -> bool:
            return (await house.service.session(U, S)).counts.running == 0

        await house.until(done)
    assert (house.home / "out" / "a.bin").read_text() == "mine"


@pytest.mark.parametrize("name", ["a.bin", "A.BIN"])
async def test_D10_two_tasks_one_path(house: Any, name: str) -> None:
    await house.attach()
    await house.submit(house.spec())
    with pytest.raises(DestinationExists, match="Task 1 of session 'era5'"):
        await house.submit(house.spec(name, url="http://elsewhere/x"))


async def test_D10_two_spellings_of_one_name(house: Any) -> None:
    await house.attach()
    with pytest.raises(DestinationExists):
        await house.submit(house.spec("é.bin", url="http://h/1"), house.spec("é.bin"))
    assert (await house.service.tasks(U, S)).tasks == []


async def test_the_same_again_is_found(house: Any) -> None:
    await house.attach()
    assert (await house.submit(house.spec()))[0][0] == "created"
    assert (await house.submit(house.spec(), house.spec()))[1][0] == "found"
    await house.engine.bring()
    view = await house.until_phase(1, Phase.COMPLETED)
    assert (await house.submit(house.spec()))[0][0] == "found"
    Path(view.path).write_bytes(b"edited, another size")
    with pytest.raises(DestinationExists):
        await house.submit(house.spec())
    assert (await house.submit(house.spec(if_exists=IfExists.REPLACE)))[0][0] == "reopened"
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED, generation=2)
    Path(view.path).unlink()
    assert (await house.submit(house.spec()))[0][0] == "reopened"
    assert (await house.service.session(U, S)).counts.running == 1


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
async def test_a_failed_or_cancelled_one_is_retried(house: Any, ending: str) -> None:
    await house.attach()
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    if ending == "failed":
        house.engine.fail(fetch, "http_status", status_code=404)
    else:
        await house.service.cancel(U, S, 1)
    await house.until_phase(1, Phase.COMPLETED)
    [(match, view)] = await house.submit(house.spec())
    assert (match, view.generation) == ("reopened", 2)


async def test_a_key_finds_its_task_under_another_url(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec(url="http://h/a?sig=1", key="a", resume=False))
    [(match, view)] = await house.submit(house.spec(url="http://h/a?sig=2", key="a"))
    assert (match, view.task_identifier) == ("found", 1)
    assert (await house.engine.fetch()).url == "http://h/a?sig=2"


async def test_a_folder_takes_the_suggested_name(house: Any) -> None:
    await house.attach()
    (house.home / "in").mkdir()
    await house.submit(house.spec(destination=str(house.home / "in")))
    fetch = await house.engine.bring()
    assert (fetch.folder, fetch.name) == (str(house.home / "in"), None)
    view = await house.until_phase(1, Phase.COMPLETED)
    assert view.path == str(house.home / "in" / "suggested.bin")
    [(match, _)] = await house.submit(house.spec(destination=str(house.home / "in") + "/"))
    assert match == "found"


@pytest.mark.parametrize("identifier", ["", ".", "..", "a/b", "a\nb", "x" * 256])
async def test_a_bad_identifier(house: Any, identifier: str) -> None:
    with pytest.raises(InvalidRequest):
        await house.attach(session=identifier)
    assert await house.service.sessions(U) == []


async def test_an_identifier_cannot_leave_the_staging_folder(house: Any) -> None:
    staging = house.home / "staging"
    await house.attach(session="...\\..")
    spec = TaskSpec(request=Request("http://h/a"), staging=str(staging))
    await house.service.submit(U, "...\\..", [spec])
    assert Path((await house.engine.fetch()).folder).resolve().is_relative_to(staging)


async def test_a_kernel_on_another_filesystem(house: Any) -> None:
    kernel = house.kernel()
    import msgspec

    for wrong in ({"inode": kernel.inode + 1}, {"directory": "/not/there"}):
        request = AttachRequest(protocol=1, kernel=msgspec.structs.replace(kernel, **wrong))
        with pytest.raises(OtherFilesystem):
            await house.service.attach(U, S, request)
    with pytest.raises(IncompatibleServer):
        await house.service.attach(U, S, AttachRequest(protocol=2, kernel=kernel))
    with pytest.raises(TaskNotFound):
        await house.service.session(U, S)


async def test_options_explicit_ones_win_and_are_reported(house: Any) -> None:
    await house.attach(configuration={"timeout_for_request": 5})
    reply = await house.attach(
        configuration={"additional_headers": {"X-Key": "canary"}, "maximum_connections_per_host": 2}
    )
    assert reply.options["timeout_for_request"] == 5
    assert reply.options["maximum_connections_per_host"] == 2
    assert [(c.name, c.old, c.new) for c in reply.changed] == [
        ("additional_headers", "none", "X-Key"),
        ("maximum_connections_per_host", "6", "2"),
    ]
    assert "canary" not in repr(reply)
    for wrong in ({"bandwidth": 1}, {"timeout_for_request": -1}, {"ca_bundle": "rel"}):
        with pytest.raises(InvalidRequest, match=next(iter(wrong)) if len(wrong) else ""):
            await house.attach(configuration=wrong)
    await house.submit(*(house.spec(str(n), headers={"x-key": "own"}) for n in range(4)))
    fetches = [await house.engine.fetch() for _ in range(2)]
    assert [fetch.headers for fetch in fetches] == [{"x-key": "own"}] * 2
    assert house.engine.units.empty(), "two connections for this host"
    assert fetches[0].timeout == 5


async def test_L2_one_greedy_session_does_not_starve_another(house: Any) -> None:
    await house.attach()
    await house.submit(*(house.spec(str(n), url=f"http://h{n}.test/") for n in range(30)))
    first = [await house.engine.fetch() for _ in range(8)]
    await house.attach(session="other")
    spec = TaskSpec(request=Request("http://h.test/x"), destination=str(house.home / "other"))
    await house.service.submit(U, "other", [spec])
    house.engine.ready(first[0], house.engine.headers(first[0]))
    house.engine.published(await house.engine.publish())
    assert (await house.engine.fetch()).url == "http://h.test/x"


async def test_ten_thousand_tasks_in_one_submit(house: Any) -> None:
    await house.attach()
    specs = [house.spec(f"{n}.bin", resume=n < 100) for n in range(10_000)]
    assert len(await house.submit(*specs)) == 10_000
    counts = (await house.service.session(U, S)).counts
    assert (counts.suspended, counts.running + counts.waiting) == (9_900, 100)
    page = await house.service.tasks(U, S, after=9_990)
    assert [view.task_identifier for view in page.tasks] == list(range(9_991, 10_001))
    assert (await house.service.tasks(U, S, limit=7)).next == 7
