"""The table of all operations, and the handlers that are made from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_bgdl import __version__
from jupyter_bgdl.server import about, asks, cleanup, explain, launch, log, sessions, tasks
from jupyter_bgdl.server.channel import ChannelHandler
from jupyter_bgdl.server.context import Context
from jupyter_bgdl.server.handler import NoSuchOperation, OperationHandler
from jupyter_bgdl.server.identity import RESOURCE
from jupyter_bgdl.server.openapi import document
from jupyter_bgdl.server.operations import Call, Operation


async def _openapi(call: Call) -> dict[str, Any]:
    return document(OPERATIONS, __version__)


OPERATIONS: tuple[Operation, ...] = (
    *about.OPERATIONS,
    Operation(
        method="GET",
        path="/bgdl/openapi.json",
        name="openapi",
        summary="This document",
        action="read",
        run=_openapi,
        document=True,
    ),
    *sessions.OPERATIONS,
    *tasks.OPERATIONS,
    *log.OPERATIONS,
    *asks.OPERATIONS,
    *explain.OPERATIONS,
    *launch.OPERATIONS,
    *cleanup.OPERATIONS,
)


def _verb(operation: Operation) -> Callable[..., Awaitable[None] | None]:
    async def verb(self: OperationHandler, **path: str) -> None:
        await self.perform(operation, path)

    # With action and resource given: ``authorized`` otherwise keeps those of its first call.
    allowed: Callable[..., Awaitable[None] | None] = authorized(operation.action, RESOURCE)(verb)
    if operation.action == "execute":
        allowed = authorized("execute", "kernels")(allowed)
    return web.authenticated(allowed)


def _pattern(path: str) -> str:
    return re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", re.escape(path))


def handlers(context: Context) -> list[tuple[str, type[web.RequestHandler], dict[str, Any]]]:
    """What an ``ExtensionApp`` registers; patterns without the base URL."""
    verbs: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        verbs.setdefault(operation.path, {})[operation.method.lower()] = _verb(operation)
    arguments = {"context": context}
    made: list[tuple[str, type[web.RequestHandler], dict[str, Any]]] = [
        (_pattern(path), type("BgdlHandler", (OperationHandler,), methods), arguments)
        for path, methods in verbs.items()
    ]
    return [
        *made,
        ("/bgdl/channel", ChannelHandler, arguments),
        ("/bgdl/.*", NoSuchOperation, arguments),
    ]
