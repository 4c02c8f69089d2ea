"""What reaches a delegate: in order, until acknowledged, to one owner."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from jupyter_bgdl.errors import SessionInvalidated, TaskNotFound
from jupyter_bgdl.model import EventKind, Phase
from jupyter_bgdl.receipts import Receipts, read
from jupyter_bgdl.service.changes import OwnerChanged

U, S = "server", "era5"


async def finish(house: Any, *names: str) -> int:
    epoch: int = (await house.attach()).epoch
    await house.submit(*(house.spec(name) for name in names))
    for _ in names:
        await house.engine.bring()

    async def done() -> bool:
        return (await house.service.session(U, S)).counts.done == len(names)

    await house.until(done)
    return epoch


async def test_E1_events_come_again_until_acknowledged(house: Any) -> None:
    epoch = await finish(house, "a")
    first = await house.service.events(U, S, epoch, after=0, limit=2)
    assert [(e.sequence, e.redelivered) for e in first] == [(1, False), (2, False)]
    again = await house.service.events(U, S, epoch, after=0, limit=9)
    assert [(e.sequence, e.redelivered) for e in again] == [(1, True), (2, True), (3, False)]
    await house.acknowledge(epoch, 1, 2)
    assert await house.kinds(epoch) == [EventKind.SESSION_FINISHED]
    assert (await house.service.session(U, S)).undelivered == 1


async def test_E2_what_a_killed_kernel_wrote_down_is_not_told_again(house: Any) -> None:
    reply = await house.attach()
    await finish(house, "a")
    assert len(await house.kinds(reply.epoch)) == 3
    receipts = Receipts(reply.receipts)
    receipts.add(1)
    assert (await house.attach()).receipts == reply.receipts, "it attached again and goes on"
    receipts.add(2)
    receipts.close()
    with Path(reply.receipts).open("a") as file:
        file.write("3")  # And here it was killed.
    house.reopen()
    again = await house.attach("k2")
    assert await house.kinds(again.epoch) == [EventKind.SESSION_FINISHED]
    assert again.undelivered == 1


async def test_E2_receipts_count_as_soon_as_the_kernel_is_gone(house: Any) -> None:
    house.living["k1"] = True
    reply = await house.attach("k1")
    await finish(house, "a")
    await house.kinds(reply.epoch)
    receipts = Receipts(reply.receipts)
    for sequence in (1, 2, 3):
        receipts.add(sequence)
    receipts.close()
    house.living["k1"] = False

    async def heard() -> bool:
        return (await house.service.session(U, S)).undelivered == 0

    await house.until(heard)


async def test_an_old_owners_receipts_are_not_the_new_ones(house: Any) -> None:
    first = await house.attach()
    Receipts(first.receipts).close()
    second = await house.attach("k2", take_over=True)
    assert second.receipts != first.receipts
    assert not Path(second.receipts).exists(), "the kernel makes it"
    assert (await house.attach("k3", take_over=True)).receipts != second.receipts
    assert stat.S_IMODE(Path(first.receipts).stat().st_mode) == 0o600


def test_receipts_that_cannot_be_written_are_none(tmp_path: Path) -> None:
    for path in (None, str(tmp_path / "missing" / "file"), str(tmp_path)):
        receipts = Receipts(path)
        receipts.add(1)
        receipts.close()
    assert read(tmp_path) == []


async def test_E6_acknowledgements_are_idempotent_and_never_run_ahead(house: Any) -> None:
    epoch = await finish(house, "a")
    await house.service.acknowledge(U, S, epoch, [(1000, None)])
    assert len(await house.kinds(epoch)) == 3, "what was not sent cannot be acknowledged"
    await house.acknowledge(epoch, 3, 3, 1, 77)
    assert await house.kinds(epoch) == [EventKind.COMPLETED], "2 was swallowed by a later one"


async def test_sequences_are_never_used_again(house: Any) -> None:
    epoch = await finish(house, "a")
    await house.kinds(epoch)
    await house.acknowledge(epoch, 1, 2, 3)
    house.reopen()
    await house.submit(house.spec("b"))
    await house.engine.bring()
    await house.until_phase(2, Phase.COMPLETED)
    events = await house.service.events(U, S, epoch, after=0, limit=9)
    assert [e.sequence for e in events] == [4, 5, 6]


async def test_E3_a_parked_event_waits_for_its_handler(house: Any) -> None:
    epoch = await finish(house, "a")
    await house.kinds(epoch)
    await house.service.acknowledge(U, S, epoch, [(1, "Traceback …")])
    await house.acknowledge(epoch, 2, 3)
    session = await house.service.session(U, S)
    assert (session.undelivered, session.parked) == (0, 1)
    assert await house.kinds(epoch) == []
    await house.service.deliver(U, S, epoch, True)
    # An acknowledgement of something later does not swallow it before it was sent again.
    await house.service.acknowledge(U, S, epoch, [(3, None)])
    [event] = await house.service.events(U, S, epoch, after=0, limit=9)
    assert (event.sequence, event.redelivered) == (1, True)


async def test_E2_a_staged_file_that_was_moved_is_there_again(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec(destination=None, staging=str(house.home / "staging")))
    await house.engine.bring()
    view = await house.until_phase(1, Phase.COMPLETED)
    assert await house.kinds(epoch)
    location = Path(view.path)
    moved = house.home / "mine.bin"
    location.rename(moved)
    await house.kinds(epoch)
    assert location.read_bytes() == moved.read_bytes()
    await house.acknowledge(epoch, 1, 2, 3)
    house.close()
    assert not list((house.home / "staging").iterdir()), "acknowledged: staging is empty again"
    assert moved.exists()


async def test_a_parked_finish_keeps_the_staged_file(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec(destination=None, staging=str(house.home / "staging")))
    await house.engine.bring()
    view = await house.until_phase(1, Phase.COMPLETED)
    await house.kinds(epoch)
    await house.service.acknowledge(U, S, epoch, [(1, "Traceback …")])
    await house.acknowledge(epoch, 2, 3)
    house.reopen()
    assert Path(view.path).exists()
    assert (await house.submit(house.spec(destination=None, staging=view.path)))[0][0] == "found"


async def test_E4_one_owner_and_the_old_one_is_fenced(house: Any) -> None:
    epoch = await finish(house, "a")
    house.living["k1"] = True
    watcher = await house.attach("k2")
    assert (watcher.is_owner, watcher.epoch) == (False, epoch)
    taker = await house.attach("k2", take_over=True, name="other.ipynb")
    assert (taker.is_owner, taker.epoch) == (True, epoch + 1)
    assert OwnerChanged(U, S, epoch + 1, "other.ipynb") in house.changes
    for call in (
        house.service.events(U, S, epoch, after=0, limit=1),
        house.service.acknowledge(U, S, epoch, [(1, None)]),
        house.service.deliver(U, S, epoch, False),
        house.service.detach(U, S, epoch),
    ):
        with pytest.raises(SessionInvalidated):
            await call


@pytest.mark.parametrize(
    ("second", "alive", "owns", "epoch"),
    [
        ({"incarnation": "k1"}, True, True, 1),
        ({"incarnation": "k2", "kernel_id": "K"}, True, True, 2),
        ({"incarnation": "k2", "notebook": "/n.ipynb"}, True, True, 2),
        ({"incarnation": "k2", "notebook": "/m.ipynb"}, True, False, 1),
        ({"incarnation": "k2"}, True, False, 1),
        ({"incarnation": "k2"}, False, True, 2),
        ({"incarnation": "k2"}, None, False, 1),
        ({"incarnation": "k2", "take_over": True}, True, True, 2),
    ],
)
async def test_who_owns(
    house: Any, second: dict[str, Any], alive: bool | None, owns: bool, epoch: int
) -> None:
    house.living["k1"] = True
    await house.attach("k1", kernel_id="K", notebook="/n.ipynb")
    house.living["k1"] = alive
    reply = await house.attach(**second)
    assert (reply.is_owner, reply.epoch) == (owns, epoch)


async def test_a_lease_ends_with_the_kernel_and_it_may_come_back(house: Any) -> None:
    house.living["k1"] = True
    epoch = (await house.attach("k1")).epoch
    house.living["k1"] = False

    async def free() -> bool:
        return (await house.service.session(U, S)).owner is None

    await house.until(free)
    house.living["k1"] = True
    assert (await house.attach("k1")).epoch == epoch
    await house.service.detach(U, S, epoch)
    assert await house.service.owner(U, S) == (epoch + 1, "")
    assert (await house.attach("k2")).is_owner


async def test_a_silent_script_is_gone_after_a_while(tmp_path: Path, names: Any) -> None:
    import msgspec

    house = names.House(tmp_path, msgspec.structs.replace(names.quick, silence=0.3)).open()
    try:
        house.service.present("k1")
        await house.attach("k1")
        assert not (await house.attach("k2")).is_owner
        house.service.absent("k1")

        async def free() -> bool:
            return (await house.service.session(U, S)).owner is None

        await house.until(free)
        assert (await house.attach("k2")).is_owner
    finally:
        house.close()


async def test_a_later_submit_takes_back_that_all_is_finished(house: Any) -> None:
    epoch = await finish(house, "a")
    await house.submit(house.spec("b"))
    assert EventKind.SESSION_FINISHED not in await house.kinds(epoch)


async def test_the_log_is_capped(tmp_path: Path, names: Any) -> None:
    import msgspec

    house = names.House(tmp_path, msgspec.structs.replace(names.quick, max_log_lines=3)).open()
    try:
        await house.attach()
        for number in range(5):
            await house.service.append_log(U, S, f"line {number}")
        page = await house.service.log(U, S)
        assert [line.text for line in page.lines] == ["line 2", "line 3", "line 4"]
        assert [line.number for line in page.lines] == [4, 5, 6]
        with pytest.raises(TaskNotFound):
            await house.service.log(U, "other")
    finally:
        house.close()
