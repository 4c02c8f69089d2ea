"""Hands the owner of a session its events: in order, a bounded number ahead of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from jupyter_bgdl.messages import Delivery, ServerMessage
from jupyter_bgdl.service.service import Service

WINDOW: Final = 64
"""How many events may be on their way or in the kernel's hands without an acknowledgement."""


class Deliveries:
    """The events of one session to one socket, as long as its owner's epoch is in force.

    They are read from the journal page by page, when there is room for them: a kernel that is
    a hundred thousand events behind costs the server no more than one that is up to date.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        user: str,
        session: str,
        epoch: int,
        send: Callable[[ServerMessage], Awaitable[None]],
    ) -> None:
        self.epoch = epoch
        self._service = service
        self._user = user
        self._session = session
        self._send = send
        self._in_flight: set[int] = set()
        self._cursor = 0
        self._rewound = False
        self._more = asyncio.Event()

    def added(self, *, were_parked: bool = False) -> None:
        """The journal has more, or has events further back that are to be sent again."""
        self._rewound = self._rewound or were_parked
        self._more.set()

    def acknowledged(self, sequences: Iterable[int]) -> None:
        self._in_flight.difference_update(sequences)
        self._more.set()

    async def run(self) -> None:
        """Runs until cancelled. Raises :class:`SessionInvalidated` when the epoch is over."""
        while True:
            self._more.clear()
            if self._rewound:
                self._rewound, self._cursor = False, 0
            if not await self._page():
                await self._more.wait()

    async def _page(self) -> bool:
        room = WINDOW - len(self._in_flight)
        if room <= 0:
            return False
        events = await self._service().events(
            self._user, self._session, self.epoch, after=self._cursor, limit=room
        )
        for event in events:
            self._cursor = event.sequence
            if event.sequence not in self._in_flight:
                self._in_flight.add(event.sequence)
                await self._send(Delivery(event))
        return bool(events)
