"""The session objects of this process, one for each name, and when a name is free again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.attachment import Attachment

Key = tuple[str | None, str]
"""Server (None: the one that started the kernel) and identifier."""

_FREE = 30.0
"""Seconds to wait for a name: a server that is started again has to come back first."""


class KnownSessions:
    """attached ──its last event was dealt with──▶ ending ──the server has forgotten it──▶ free"""

    def __init__(self) -> None:
        self._attached: dict[Key, Attachment] = {}
        self._ending: dict[Key, threading.Event] = {}

    def get(self, key: Key) -> Attachment | None:
        """The one that hears what the server says of that session."""
        return self._attached.get(key)

    def add(self, key: Key, session: Attachment) -> bool:
        """False: it is there already."""
        if self._attached.get(key) is session:
            return False
        self._attached[key] = session
        return True

    def discard(self, key: Key, session: Attachment) -> bool:
        """False: it is not there, or another one has its place."""
        if self._attached.get(key) is not session:
            return False
        del self._attached[key]
        return True

    def ended(self, key: Key, session: Attachment) -> None:
        """Its name is not free before the server has forgotten it."""
        self._ending[key] = threading.Event()
        self.discard(key, session)

    def forgotten(self, key: Key) -> None:
        """From any thread: the server has forgotten it."""
        if ending := self._ending.pop(key, None):
            ending.set()

    def wait_until_free(self, key: Key) -> None:
        """Returns at once, unless that session has just ended."""
        if ending := self._ending.get(key):
            ending.wait(_FREE)


known_sessions = KnownSessions()


def attached(identifier: str) -> Attachment | None:
    """The session of that name in this kernel, under the server that started the kernel."""
    return known_sessions.get((None, identifier))
