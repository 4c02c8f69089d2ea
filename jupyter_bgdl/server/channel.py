"""The websocket ``/bgdl/channel``: carries a :class:`~.conversation.Conversation`."""

from __future__ import annotations

import msgspec
from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_bgdl.messages import ServerMessage
from jupyter_bgdl.server.conversation import Conversation, Gone
from jupyter_bgdl.server.handler import FailureMixin
from jupyter_bgdl.server.identity import RESOURCE, IdentityMixin, owner


class ChannelHandler(FailureMixin, IdentityMixin, WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One socket."""

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(403)

    @ws_authenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Open the socket, for who may read."""
        if not await self.may("read"):
            raise web.HTTPError(403)
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPError(400)
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        super().open(*args, **kwargs)
        self.set_nodelay(True)
        self._conversation = Conversation(
            self, lambda: self.context.service, self.context.sockets, owner(self)
        )

    def on_close(self) -> None:
        self._conversation.over()
        super().on_close()

    async def on_message(self, message: str | bytes) -> None:
        await self._conversation.take(message)

    async def may(self, action: str) -> bool:
        answer = self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)
        return bool(await ensure_async(answer))

    async def carry(self, message: ServerMessage) -> None:
        # Waits until the bytes are with the operating system: a slow reader slows us down
        # rather than filling our memory.
        try:
            await self.write_message(msgspec.json.encode(message))
        except WebSocketClosedError as error:
            raise Gone from error

    def failed(self, error: BaseException) -> None:
        self.log_exception(type(error), error, error.__traceback__)
