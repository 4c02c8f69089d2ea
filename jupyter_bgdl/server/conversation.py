"""What is said on one channel, whatever carries it: state for everybody, events for the owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from jupyter_bgdl import errors
from jupyter_bgdl.messages import (
    Acknowledge,
    ClientMessage,
    Deliver,
    Fenced,
    Hello,
    Refused,
    ServerMessage,
    Unwatch,
    Watch,
)
from jupyter_bgdl.server.delivery import Deliveries
from jupyter_bgdl.server.operations import SessionPath, parameters
from jupyter_bgdl.server.sockets import Sockets
from jupyter_bgdl.server.watching import Watching
from jupyter_bgdl.service.changes import Change, EventsAdded, OwnerChanged
from jupyter_bgdl.service.service import Service

_TRY_AGAIN_LATER = 1013
_INTERNAL_ERROR = 1011
_GATHER = 0.02
"""Seconds in which acknowledgements gather, once more than one came in a moment."""
_decoder = msgspec.json.Decoder(ClientMessage)


class Gone(Exception):
    """The other end has closed the channel."""


class Carrier(Protocol):
    """What carries the messages: a websocket, or a queue in the same process."""

    async def carry(self, message: ServerMessage) -> None:
        """Waits until there is room for more. Raises :class:`Gone`."""

    async def may(self, action: str) -> bool:
        """Whether the other end may ``read`` or ``write``."""

    def close(self, code: int | None = None, reason: str | None = None) -> None: ...

    def failed(self, error: BaseException) -> None:
        """Log what nobody foresaw."""


class Conversation:
    """One channel. A message is dealt with before the next one is; only acknowledgements are taken
    in as they come, so that they can be committed together."""

    def __init__(
        self, carrier: Carrier, service: Callable[[], Service], sockets: Sockets, user: str
    ) -> None:
        self.incarnation: str | None = None
        self._carrier = carrier
        self._service = service
        self._sockets = sockets
        self._user = user
        self._greeted: Service | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._unwritten: list[Acknowledge] = []
        self._deliveries: dict[str, tuple[Deliveries, asyncio.Task[None]]] = {}
        self._watching = Watching(service, user, carrier.carry)
        self._start(self._watching.run())
        sockets.add(self)

    def over(self) -> None:
        """The channel is closed."""
        self._sockets.remove(self)
        if self._greeted is not None and self.incarnation is not None:
            self._greeted.absent(self.incarnation)
        # What was acknowledged was dealt with, even if whoever said so is gone by now.
        for job in self._jobs - self._acknowledging:
            job.cancel()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        self._carrier.close(code, reason)

    async def take(self, message: str | bytes) -> None:
        """Act on a message; whatever is wrong with it is answered with ``refused``."""
        try:
            await self._act(_decoder.decode(message))
        except msgspec.DecodeError as error:
            await self._refuse(errors.InvalidRequest(str(error)))
        except errors.BackgroundTransferError as error:
            await self._refuse(error)
        except Gone:
            pass  # It is over, and there is nobody left to be told.

    async def _act(self, message: ClientMessage) -> None:
        action = "write" if isinstance(message, Deliver | Acknowledge) else "read"
        if not await self._carrier.may(action):
            raise errors.NotAuthorized
        session = None if isinstance(message, Hello) else message.session
        if session is not None:
            parameters({"identifier": session}, SessionPath)
        if self._acknowledging and not isinstance(message, Acknowledge):
            await asyncio.wait(self._acknowledging)
        match message:
            case Hello(incarnation=incarnation):
                self._greet(incarnation)
            case Watch(tasks=tasks):
                await self._watching.watch(session, tasks=tasks)
            case Unwatch(tasks=tasks):
                self._watching.unwatch(session, tasks=tasks)
            case Deliver():
                await self._deliver(message)
            case Acknowledge():
                self._unwritten.append(message)
                if not self._acknowledging:
                    job = self._start(self._acknowledge())
                    self._acknowledging.add(job)
                    job.add_done_callback(self._acknowledging.discard)

    def _greet(self, incarnation: str | None) -> None:
        if self.incarnation is not None:
            raise errors.InvalidRequest("hello is said once")
        if incarnation is not None:
            self._greeted = self._service()
            self._greeted.present(incarnation)
            self.incarnation = incarnation

    async def _deliver(self, message: Deliver) -> None:
        session = message.session
        await self._service().deliver(
            self._user, session, message.epoch, message.parked, message.answers
        )
        self._sockets.taken(self._user, session, by=self)
        if current := self._deliveries.get(session):
            if current[0].epoch == message.epoch:
                return
            self.released(self._user, session)
        deliveries = Deliveries(
            self._service, self._user, session, message.epoch, self._carrier.carry
        )
        self._deliveries[session] = (deliveries, self._start(deliveries.run()))

    async def _acknowledge(self) -> None:
        """Those that come while others are committed are committed together after them."""
        while self._unwritten:
            unwritten, self._unwritten = self._unwritten, []
            batches: dict[tuple[str, int], list[tuple[int, str | None]]] = {}
            for message in unwritten:
                batch = batches.setdefault((message.session, message.epoch), [])
                batch.append((message.sequence, message.parked))
            for (session, epoch), dealt in batches.items():
                try:
                    await self._service().acknowledge(self._user, session, epoch, dealt)
                except errors.BackgroundTransferError as error:
                    await self._refuse(error)
                    continue
                current = self._deliveries.get(session)
                if current and current[0].epoch == epoch:
                    current[0].acknowledged(sequence for sequence, _ in dealt)
            if self._unwritten:
                await asyncio.sleep(_GATHER)

    def changed(self, change: Change) -> None:
        """The service has something newer."""
        self._watching.changed(change)
        current = self._deliveries.get(change.session) if change.user == self._user else None
        if current is None:
            return
        if isinstance(change, EventsAdded):
            current[0].added(were_parked=change.were_parked)
        elif isinstance(change, OwnerChanged) and current[0].epoch < change.epoch:
            self.fenced(change)

    def fenced(self, change: OwnerChanged) -> None:
        """Somebody else owns the session now."""
        self.released(change.user, change.session)
        self._start(self._carrier.carry(Fenced(change.session, change.owner_name)))

    def released(self, user: str, session: str) -> None:
        """Send no more events of that session."""
        if user == self._user and (current := self._deliveries.pop(session, None)):
            current[1].cancel()

    async def _refuse(self, error: errors.BackgroundTransferError) -> None:
        try:
            await self._carrier.carry(Refused(error.code, error.message))
        except Gone:
            return
        if isinstance(error, errors.ServerUnavailable):
            # What it watches is unknown to us until it asks again, so let it reconnect.
            self.close(_TRY_AGAIN_LATER, "try again later")

    def _start(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(job)
        self._jobs.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        error = None if job.cancelled() else job.exception()
        if error is None or isinstance(error, Gone | errors.SessionInvalidated):
            return  # SessionInvalidated: ``fenced`` is on its way.
        if isinstance(error, errors.BackgroundTransferError):
            self._start(self._refuse(error))
            return
        self._carrier.failed(error)
        self.close(_INTERNAL_ERROR, "internal error")
