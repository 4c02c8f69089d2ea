"""Writes what callbacks print into the session's log, in the background."""

from __future__ import annotations

import asyncio
import logging

from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.kernel import launching
from jupyter_bgdl.kernel.connection import Connection
from jupyter_bgdl.model import LogRequest

_log = logging.getLogger(__name__)

_LONGEST = 65536
"""Characters that one request may carry."""


class Notes:
    """Of one session. What can't be written is said in the kernel's own log."""

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._order = asyncio.Lock()

    def __call__(self, text: str) -> None:
        """Append ``text``; from any thread, returns at once."""
        if launching.is_launching():
            return
        for start in range(0, len(text), _LONGEST):
            self._connection.spawn(self._write(text[start : start + _LONGEST]))

    async def _write(self, text: str) -> None:
        try:
            async with self._order:
                await self._connection.fetch("POST", f"{self._path}/log", LogRequest(text))
        except BackgroundTransferError as error:
            _log.warning("The session's log could not be written: %s", error)
