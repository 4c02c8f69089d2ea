"""What the server's launcher calls: each hops into the service thread and comes back."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from jupyter_bgdl.launches import LaunchCell, LaunchView
from jupyter_bgdl.service.launches import Agenda, Launches

T = TypeVar("T")


class Hop(Protocol):
    async def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


class LaunchCalls:
    """The methods of :class:`~jupyter_bgdl.service.launches.Launches`, for the event loop. They
    raise as those of :class:`~jupyter_bgdl.service.service.Service` do."""

    def __init__(self, hop: Hop, launches: Launches) -> None:
        self._hop = hop
        self._launches = launches

    async def register(self, user: str, identifier: str, cell: LaunchCell) -> LaunchView:
        return await self._hop(self._launches.register(user, identifier, cell))

    async def cell(self, user: str, identifier: str) -> LaunchCell:
        """Raises :class:`LaunchError` if the session has none."""
        return await self._hop(self._launches.cell(user, identifier))

    async def remove(self, user: str, identifier: str) -> None:
        await self._hop(self._launches.remove(user, identifier))

    async def switch(self, user: str, identifier: str, enabled: bool) -> LaunchView:
        return await self._hop(self._launches.switch(user, identifier, enabled))

    async def agenda(self) -> Agenda:
        """What there is to launch now."""
        return await self._hop(self._launches.agenda())

    async def begin(self, user: str, identifier: str, pause: float) -> None:
        await self._hop(self._launches.begin(user, identifier, pause))

    async def launched(self, user: str, identifier: str, is_launched: bool) -> None:
        await self._hop(self._launches.launched(user, identifier, is_launched))

    async def end(self, user: str, identifier: str, pause: float) -> bool:
        """Whether the launch delivered anything."""
        return await self._hop(self._launches.end(user, identifier, pause))

    async def notify(self, user: str, identifier: str, notice: str) -> None:
        await self._hop(self._launches.notify(user, identifier, notice))

    async def renamed(self, old: str, new: str) -> None:
        await self._hop(self._launches.renamed(old, new))
