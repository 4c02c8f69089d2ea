"""Who is asking: a person, as the Jupyter server knows them, or a kernel with our secret."""

from __future__ import annotations

import json
import os
from typing import Any, Final

from jupyter_core.utils import ensure_async
from jupyter_server.auth import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from jupyter_bgdl.model import TOKEN_HEADER
from jupyter_bgdl.server.context import Context

RESOURCE: Final = "bgdl"
"""What an authorizer is asked about; the actions are ``read`` and ``write``."""


class _Kernel(User):
    """On a hub, authorizers look into ``hub_user``, which the hub's identity provider adds."""

    @property
    def hub_user(self) -> dict[str, Any]:
        """As the hub's ``/api/user``, with the scopes that let its users into this server."""
        scopes = json.loads(os.environ.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "[]"))
        return {"kind": "user", "name": self.username, "groups": [], "scopes": scopes}


KERNEL: Final = _Kernel(username="kernel", name="Kernel", display_name="Kernel")
"""The user that an authorizer sees for a request that came with the kernels' secret."""


def owner(handler: web.RequestHandler) -> str:
    """The user in the ledger whose sessions this request is about.

    Under the stock token or password login there is one person, whatever name the login made up
    for them, and the kernels are theirs.
    """
    return "server"


async def is_confined(handler: JupyterHandler) -> bool:
    """Whether the paths in this request have to be in the contents root.

    Not those of a kernel, which can write there without us, nor those of a script or command that
    shows a token which lets it run code in a kernel. A page is confined whatever its person may
    do: what can be made to send a request from there must not choose any path.
    """
    if handler.current_user is KERNEL:
        return False
    headers = handler.request.headers
    # A script cannot be told from a page by its token: JupyterLab's pages show it, too. These are
    # names that no script in a page can leave out (Fetch standard, "forbidden request-header").
    if any(name in headers for name in ("Origin", "Sec-Fetch-Site")):
        return True
    if not handler.token_authenticated:
        return True
    user = handler.current_user
    may = handler.authorizer.is_authorized(handler, user, "execute", "kernels")
    return not await ensure_async(may)


class _Kernels(IdentityProvider):
    """Knows the kernel, for one request that has shown the secret.

    It takes the place of the configured provider, so that any provider (a hub's too) and the
    checks that depend on it (XSRF, origin) treat the request as authenticated by token.
    """

    def get_user(self, handler: web.RequestHandler) -> User:
        # What the hub's own provider leaves on a handler: the XSRF check that it puts in the
        # place of Jupyter's asks for these, not for a provider.
        handler._jupyterhub_user = KERNEL  # type: ignore[attr-defined]
        handler._token_authenticated = True  # type: ignore[attr-defined]
        return KERNEL

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        return True


_KERNELS: Final = _Kernels()


class IdentityMixin(ExtensionHandlerMixin):
    """Comes first among the bases of each of our handlers."""

    context: Context
    request: Any

    def initialize(self, name: str, context: Context) -> None:
        super().initialize(name)
        self.context = context

    @property
    def identity_provider(self) -> IdentityProvider:
        token = self.request.headers.get(TOKEN_HEADER)
        if token is not None and self.context.is_secret(token):
            return _KERNELS
        return super().identity_provider  # type: ignore[misc,no-any-return]
