"""The way to cut off, from another thread, what an attempt has on the network."""

from __future__ import annotations

import errno
import os
import socket
import threading


class Lifeline:
    """Duplicates of the sockets in use, through which another thread can cut them off.

    The shutdown goes to the plain socket. On an SSLSocket it would drop the TLS object, and the
    reader would take ciphertext for the body.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._lent: list[socket.socket] = []
        self._is_cut = False

    def hold(self, connection: socket.socket) -> None:
        """Take a connection before anything is sent on it."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
            if self._is_cut:
                self._shutdown()

    def lend(self, plain: socket.socket) -> None:
        """As :meth:`hold`, with a duplicate that stays the caller's."""
        with self._lock:
            self._lent.append(plain)
            if self._is_cut:
                self._shutdown()

    def give_back(self, plain: socket.socket) -> None:
        """It will not be cut off any more: somebody else may use the connection."""
        with self._lock:
            self._lent.remove(plain)

    def newest(self) -> socket.socket | None:
        """Another duplicate of the newest connection's socket, the caller's to close."""
        with self._lock:
            return self._sockets[-1].dup() if self._sockets else None

    def cut(self) -> None:
        """End every read and write, now and later. May be called from any thread, repeatedly."""
        with self._lock:
            self._is_cut = True
            self._shutdown()

    def close(self) -> None:
        with self._lock:
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    def _shutdown(self) -> None:
        for connection in (*self._sockets, *self._lent):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
