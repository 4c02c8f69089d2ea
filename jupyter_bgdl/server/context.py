"""What all handlers of one server share."""

from __future__ import annotations

import hmac
import secrets

from jupyter_bgdl.errors import ServerUnavailable
from jupyter_bgdl.server.launcher import Launcher
from jupyter_bgdl.server.sockets import Sockets
from jupyter_bgdl.service.service import Service


class Context:
    """One per server, made when the extension is loaded; the service comes when it starts."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32)
        self.sockets = Sockets()
        self.max_body_size = 128 * 2**20
        """Bytes of a request's body."""
        self.stops_when_idle = False
        """Whether the server may be stopped for inactivity while transfers only wait."""
        self._service: Service | None = None
        self._launcher: Launcher | None = None

    @property
    def service(self) -> Service:
        """Raises :class:`ServerUnavailable` before the start and after the end."""
        if self._service is None:
            raise ServerUnavailable("Background transfers are not running in this server.")
        return self._service

    @service.setter
    def service(self, service: Service | None) -> None:
        self._service = service

    @property
    def launcher(self) -> Launcher:
        """Raises as :attr:`service` does."""
        if self._launcher is None:
            raise ServerUnavailable("Background transfers are not running in this server.")
        return self._launcher

    @launcher.setter
    def launcher(self, launcher: Launcher | None) -> None:
        self._launcher = launcher

    def is_secret(self, token: str) -> bool:
        """Whether ``token`` is the kernels' secret, told in constant time."""
        return hmac.compare_digest(token.encode(), self.secret.encode())
