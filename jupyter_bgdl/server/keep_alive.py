"""Whether transfers keep the server from being stopped for inactivity, and for how long."""

from __future__ import annotations

import logging
import os
import time
from enum import StrEnum

from jupyter_bgdl.errors import ServerUnavailable
from jupyter_bgdl.service.service import Service

log = logging.getLogger(__name__)


class Mode(StrEnum):
    MOVING = "moving"
    """While bytes move."""
    PENDING = "pending"
    """Also while a transfer waits: for its date, for a retry, for the network."""
    NEVER = "never"


def stops_when_idle(mode: Mode, own_timeout: int) -> bool:
    """Whether transfers that only wait may be left by their server: it stops by itself after
    ``own_timeout`` seconds (0: never), or belongs to a hub, which may cull it."""
    return mode is not Mode.PENDING and (own_timeout > 0 or "JUPYTERHUB_API_TOKEN" in os.environ)


class KeepAlive:
    """Looked at every few seconds; between two looks it says what it saw."""

    def __init__(self, service: Service, mode: Mode, most: float) -> None:
        """``most``: seconds that the server is kept at one go, whatever there is to do."""
        self._service = service
        self._mode = mode
        self._most = most
        self._since: float | None = None
        self._is_over = False
        self._count = 0

    async def look(self) -> int:
        """How many transfers keep the server; 0: it may be stopped."""
        self._count = await self._wanting()
        if not self._count:
            self._since, self._is_over = None, False
        elif self._since is None:
            self._since = time.monotonic()
        elif not self._is_over and time.monotonic() - self._since > self._most:
            self._is_over = True
            log.warning(
                "%d transfers have kept this server for %.1f hours, which is the most "
                "(keep_alive_hours): from now on it may be stopped for inactivity.",
                self._count,
                self._most / 3600,
            )
        return self.count

    @property
    def count(self) -> int:
        """What the last look saw; bytes that have begun to move since are seen, too."""
        if self._mode is Mode.NEVER or self._is_over:
            return 0
        return self._count or self._service.moving

    async def _wanting(self) -> int:
        if self._mode is Mode.NEVER:
            return 0
        if self._mode is Mode.MOVING:
            return self._service.moving
        try:
            return await self._service.unfinished()
        except ServerUnavailable:
            return 0
