"""Which sockets are open, whose kernels they are, and what they are to hear of.

All methods except :meth:`Sockets.changed` are called on the event loop.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Protocol

from jupyter_bgdl.service.changes import Change, OwnerChanged, SessionRemoved


class Listener(Protocol):
    """What a socket does about changes."""

    incarnation: str | None

    def changed(self, change: Change) -> None: ...

    def fenced(self, change: OwnerChanged) -> None: ...

    def released(self, user: str, session: str) -> None:
        """Send no more events of that session."""

    def close(self, code: int | None = None, reason: str | None = None) -> None: ...


class Sockets:
    """The open sockets of a server.

    The service tells of changes in its own thread. They are gathered there, each once however
    often it comes, and handed to the sockets on the event loop in one go.
    """

    def __init__(self) -> None:
        self._open: set[Listener] = set()
        self._owners: dict[tuple[str, str], tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._gathered: dict[Change, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on changes are handed over."""
        self._loop = loop

    def stop(self) -> None:
        """From now on changes are dropped; open sockets are closed as by a server that goes."""
        with self._lock:
            self._loop = None
        for socket in tuple(self._open):
            socket.close(1001, "the server stops")

    def changed(self, change: Change) -> None:
        """Called by the service, in its thread. Returns at once."""
        with self._lock:
            if self._loop is None:
                return
            if not self._gathered:
                self._loop.call_soon_threadsafe(self._hand_over)
            self._gathered[change] = None

    def _hand_over(self) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, {}
        for change in gathered:
            if isinstance(change, OwnerChanged):
                self._fence(change)
            elif isinstance(change, SessionRemoved):
                self._owners.pop((change.user, change.session), None)
                self.taken(change.user, change.session, by=None)
            for socket in tuple(self._open):
                socket.changed(change)

    def _fence(self, change: OwnerChanged) -> None:
        key = (change.user, change.session)
        incarnation, epoch = self._owners.get(key, ("", change.epoch))
        if epoch >= change.epoch:
            return
        del self._owners[key]
        for socket in tuple(self._open):
            if socket.incarnation == incarnation:
                socket.fenced(change)

    def attached(self, user: str, session: str, incarnation: str, epoch: int) -> None:
        """A kernel became the owner, or still is: it is to hear when that ends."""
        self._owners[user, session] = (incarnation, epoch)

    def detached(self, user: str, session: str, epoch: int) -> None:
        """The owner gives its session up, so it need not be told."""
        if self._owners.get((user, session), ("", None))[1] == epoch:
            del self._owners[user, session]
            self.taken(user, session, by=None)

    def taken(self, user: str, session: str, *, by: Listener | None) -> None:
        """Only ``by`` sends events of that session from now on (the kernel has reconnected, and
        its former socket may look open for a while)."""
        for socket in tuple(self._open):
            if socket is not by:
                socket.released(user, session)

    def add(self, socket: Listener) -> None:
        self._open.add(socket)

    def remove(self, socket: Listener) -> None:
        self._open.discard(socket)
