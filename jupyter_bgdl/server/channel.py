"""The websocket ``/bgdl/channel``: state for everybody, events for the owner."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

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
from jupyter_bgdl.server.handler import FailureMixin
from jupyter_bgdl.server.identity import RESOURCE, IdentityMixin, owner
from jupyter_bgdl.server.operations import SessionPath, parameters
from jupyter_bgdl.server.watching import Watching
from jupyter_bgdl.service.changes import Change, EventsAdded, OwnerChanged
from jupyter_bgdl.service.service import Service

_TRY_AGAIN_LATER = 1013
_INTERNAL_ERROR = 1011
_GATHER = 0.02
"""Seconds in which acknowledgements gather, once more than one came in a moment."""
_decoder = msgspec.json.Decoder(ClientMessage)


class ChannelHandler(FailureMixin, IdentityMixin, WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One socket. A message is dealt with before the next one is; only acknowledgements are taken
    in as they come, so that they can be committed together."""

    incarnation: str | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(403)

    @ws_authenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Open the socket, for who may read."""
        if not await self._may("read"):
            raise web.HTTPError(403)
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPError(400)
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        super().open(*args, **kwargs)
        self.set_nodelay(True)
        self._user = owner(self)
        self._greeted: Service | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._unwritten: list[Acknowledge] = []
        self._deliveries: dict[str, tuple[Deliveries, asyncio.Task[None]]] = {}
        self._watching = Watching(self._service, self._user, self._send)
        self._start(self._watching.run())
        self.context.sockets.add(self)

    def on_close(self) -> None:
        self.context.sockets.remove(self)
        if self._greeted is not None and self.incarnation is not None:
            self._greeted.absent(self.incarnation)
        for job in tuple(self._jobs):
            job.cancel()
        super().on_close()

    async def on_message(self, message: str | bytes) -> None:
        """Act on a message; whatever is wrong with it is answered with ``refused``."""
        try:
            await self._act(_decoder.decode(message))
        except msgspec.DecodeError as error:
            await self._refuse(errors.InvalidRequest(str(error)))
        except errors.BackgroundTransferError as error:
            await self._refuse(error)
        except WebSocketClosedError:
            pass  # on_close follows, and there is nobody left to be told.

    async def _act(self, message: ClientMessage) -> None:
        action = "write" if isinstance(message, Deliver | Acknowledge) else "read"
        if not await self._may(action):
            raise errors.NotAuthorized
        session = None if isinstance(message, Hello) else message.session
        if session is not None:
            parameters({"identifier": session}, SessionPath)
        if self._acknowledging and not isinstance(message, Acknowledge):
            await asyncio.wait(self._acknowledging)
        match message:
            case Hello(incarnation=incarnation):
                self._greet(incarnation)
            case Watch():
                await self._watching.watch(session)
            case Unwatch():
                self._watching.unwatch(session)
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
        self.context.sockets.taken(self._user, session, by=self)
        if current := self._deliveries.get(session):
            if current[0].epoch == message.epoch:
                if message.parked:
                    current[0].rewind()
                return
            self.released(self._user, session)
        deliveries = Deliveries(self._service, self._user, session, message.epoch, self._send)
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
            current[0].added()
        elif isinstance(change, OwnerChanged) and current[0].epoch < change.epoch:
            self.fenced(change)

    def fenced(self, change: OwnerChanged) -> None:
        """Somebody else owns the session now."""
        self.released(change.user, change.session)
        self._start(self._send(Fenced(change.session, change.owner_name)))

    def released(self, user: str, session: str) -> None:
        """Send no more events of that session."""
        if user == self._user and (current := self._deliveries.pop(session, None)):
            current[1].cancel()

    def _service(self) -> Service:
        return self.context.service

    async def _may(self, action: str) -> bool:
        answer = self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)
        return bool(await ensure_async(answer))

    async def _send(self, message: ServerMessage) -> None:
        # Waits until the bytes are with the operating system: a slow reader slows us down
        # rather than filling our memory.
        await self.write_message(msgspec.json.encode(message))

    async def _refuse(self, error: errors.BackgroundTransferError) -> None:
        try:
            await self._send(Refused(error.code, error.message))
        except WebSocketClosedError:
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
        if error is None or isinstance(error, WebSocketClosedError | errors.SessionInvalidated):
            return  # SessionInvalidated: ``fenced`` is on its way.
        if isinstance(error, errors.BackgroundTransferError):
            self._start(self._refuse(error))
            return
        self.log_exception(type(error), error, error.__traceback__)
        self.close(_INTERNAL_ERROR, "internal error")
