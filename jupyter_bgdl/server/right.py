"""Whether a kernel may still run code here, asked when no request is there to ask about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_core.utils import ensure_async
from tornado.httputil import HTTPServerRequest

from jupyter_bgdl.server.context import Context
from jupyter_bgdl.server.handler import OperationHandler
from jupyter_bgdl.server.identity import KERNEL, RESOURCE

EXECUTES = ((RESOURCE, "execute"), ("kernels", "execute"))
"""Resource and action of each right that it takes to register a launch cell, or to run one."""


class _NoConnection:
    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Nothing is closed."""


async def may_execute(web_app: Any, context: Context) -> bool:
    """An authorizer judges a handler's request, so it is given one as a kernel would make it."""
    request = HTTPServerRequest(
        method="POST",
        uri=web_app.settings["base_url"] + "bgdl/sessions",
        connection=_NoConnection(),  # type: ignore[arg-type]
    )
    handler = OperationHandler(web_app, request, name="jupyter_bgdl", context=context)
    handler.current_user = KERNEL
    for resource, action in EXECUTES:
        answer = handler.authorizer.is_authorized(handler, KERNEL, action, resource)
        if not await ensure_async(answer):
            return False
    return True
