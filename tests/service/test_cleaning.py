"""What is cleaned up goes with its parts; finished files and what was not told stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_bgdl.errors import InvalidRequest, TaskNotFound
from jupyter_bgdl.model import EventKind, Phase

U, S = "server", "era5"


async def told(house: Any, epoch: int) -> None:
    events = await house.service.events(U, S, epoch, after=0, limit=99)
    await house.acknowledge(epoch, *(event.sequence for event in events))


async def fail(house: Any, name: str = "bad") -> Path:
    """A task that failed with 4096 bytes fetched; returns its part."""
    await house.submit(house.spec(name))
    fetch = await house.engine.fetch()
    part = house.engine.headers(fetch, 4096)
    house.engine.checkpoint(fetch, 4096)
    house.engine.fail(fetch, "destination_not_allowed", message="no")
    return Path(part.path)


async def test_clean_forgets_what_was_told_with_its_parts_and_no_finished_file(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    await house.engine.bring()
    part = await fail(house)
    await house.until_phase(2, Phase.COMPLETED)
    await told(house, epoch)
    await house.submit(house.spec("running"))
    await house.engine.fetch()
    report = await house.service.usage(U)
    assert [(one.session, one.parts, one.removable) for one in report.sessions] == [(S, 4096, 2)]
    assert report.total == 4096

    cleaned = await house.service.clean(U, S)
    assert (cleaned.tasks, cleaned.freed) == (2, 4096)
    page = await house.service.tasks(U, S)
    assert [task.task_identifier for task in page.tasks] == [3]
    assert (house.home / "out" / "a.bin").exists()

    async def part_is_gone() -> bool:
        return not part.exists()

    house.close()  # clean-up that is on its way is waited for
    assert await part_is_gone()


async def test_the_disks_are_told_with_what_is_to_come(house: Any) -> None:
    await house.attach()
    specs = [house.spec("one"), house.spec("two"), house.spec("unknown")]
    await house.submit(*specs)
    for size, got in ((10_000, 4096), (5_000, 0)):
        fetch = await house.engine.fetch()
        house.engine.headers(fetch, size)
        house.engine.checkpoint(fetch, got)
    await house.engine.fetch()

    async def is_told() -> bool:
        [disk] = (await house.service.usage(U)).disks
        assert Path(disk.folder) == house.home / "out"
        return bool(disk.to_come == 10_000 - 4096 + 5_000 and disk.free > 0)

    await house.until(is_told)


async def test_clean_keeps_what_nobody_was_told(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    assert (await house.service.clean(U, None)).tasks == 0
    assert len((await house.service.tasks(U, S)).tasks) == 1


async def test_purge_cancels_and_forgets_everything_but_finished_files(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    await house.engine.bring()
    await house.submit(house.spec("running"), house.spec("asleep", resume=False))
    fetch = await house.engine.fetch()
    part = Path(house.engine.headers(fetch).path)
    await house.service.purge(U, S)
    with pytest.raises(TaskNotFound):
        await house.service.session(U, S)
    house.close()
    assert not part.exists()
    assert (house.home / "out" / "a.bin").exists()


async def test_what_nobody_claimed_goes_after_keep_finished(tmp_path: Path, names: Any) -> None:
    settings = msgspec.structs.replace(names.quick, keep_finished=0.0, tidy=0.05)
    house = names.House(tmp_path, settings).open()
    await house.attach()
    await house.submit(house.spec())
    await house.engine.bring()

    async def is_forgotten() -> bool:
        return not (await house.service.tasks(U, S)).tasks

    await house.until(is_forgotten)
    assert (house.home / "out" / "a.bin").exists()
    house.close()


async def test_nothing_is_told_of_a_task_that_belongs_to_no_kernel(house: Any) -> None:
    await house.submit(house.spec(unattended=True))
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    view = await house.service.session(U, S)
    assert (view.counts.done, view.undelivered, view.owner) == (1, 0, None)
    with pytest.raises(InvalidRequest, match="needs a destination"):
        await house.submit(house.spec(unattended=True, destination=None, staging="/tmp/s"))


async def test_a_delegate_need_not_wait_for_a_task_that_belongs_to_no_kernel(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec("person", unattended=True, resume=False))
    await house.submit(house.spec())
    await house.engine.bring()
    await house.until_phase(2, Phase.COMPLETED)
    assert await house.kinds(epoch) == [
        EventKind.FINISHED_DOWNLOADING,
        EventKind.COMPLETED,
        EventKind.SESSION_FINISHED,
    ]
    await house.service.resume(U, S, 1)
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    assert len(await house.kinds(epoch)) == 3
