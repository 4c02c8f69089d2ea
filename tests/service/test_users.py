"""Whose sessions are whose. Row T3."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_bgdl.errors import BackgroundTransferError, SessionInvalidated, TaskNotFound
from jupyter_bgdl.model import PROTOCOL, AttachRequest, Phase

U, S = "server", "era5"
OTHER = "somebody else"


async def test_T3_the_name_of_a_session_opens_nothing_to_another_user(house: Any) -> None:
    epoch = (await house.attach()).epoch
    await house.submit(house.spec())
    await house.engine.bring()
    before = await house.until_phase(1, Phase.COMPLETED)
    service = house.service
    for question in (
        lambda: service.session(OTHER, S),
        lambda: service.tasks(OTHER, S),
        lambda: service.task(OTHER, S, 1),
        lambda: service.log(OTHER, S),
        lambda: service.explain(OTHER, S, 1),
        lambda: service.cancel(OTHER, S, 1),
        lambda: service.retry(OTHER, S, 1),
        lambda: service.events(OTHER, S, epoch, after=0, limit=10),
        lambda: service.acknowledge(OTHER, S, epoch, [(1, None)]),
        lambda: service.launches.cell(OTHER, S),
    ):
        with pytest.raises((TaskNotFound, SessionInvalidated)):
            await question()
    assert await service.sessions(OTHER) == []
    assert (await service.task(U, S, 1)).phase is before.phase
    events = await service.events(U, S, epoch, after=0, limit=10)
    assert len(events) == 3, "none was acknowledged"


async def test_T3_another_user_who_attaches_gets_a_session_of_their_own(house: Any) -> None:
    await house.attach()
    await house.submit(house.spec())
    request = AttachRequest(
        protocol=PROTOCOL, kernel=house.kernel("k2"), configuration={}, take_over=True
    )
    await house.service.attach(OTHER, S, request)
    assert (await house.service.tasks(OTHER, S)).tasks == []
    with pytest.raises(BackgroundTransferError):
        await house.service.task(OTHER, S, 1)
    assert (await house.service.task(U, S, 1)).task_identifier == 1
    view = await house.service.session(U, S)
    assert view.owner is not None, "it was not taken over"
