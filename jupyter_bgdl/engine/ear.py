"""Hears an answer that comes before the whole body of a request is sent (RFC 9112, 9.5).

A server may refuse a body from its head alone. One that goes on reading, or stops reading without
closing, would otherwise be sent gigabytes, or keep the sender waiting.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from types import TracebackType

_PERIOD = 0.1
_PATIENCE = 2.0
"""Seconds without a byte sent after which whatever can be read (of TLS it can't be told what it
is) is taken for an answer."""

_LONGEST_HEAD = 65536
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")


class Ear:
    """Watches a connection while a body is sent over it, and ends the sending: what is left of
    the request can't be written any more, and the client goes on to read the answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._over = threading.Event()
        self._sent = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Ear:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()

    def moved(self, sent: int) -> None:
        """That many bytes are sent."""
        self._sent = sent

    def _listen(self) -> None:
        sent, quiet = -1, 0.0
        while not self._over.wait(_PERIOD):
            quiet = quiet + _PERIOD if self._sent == sent else 0.0
            sent = self._sent
            if self._is_answered(quiet >= _PATIENCE) and not self._over.is_set():
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_WR)
                return

    def _is_answered(self, is_stuck: bool) -> bool:
        try:
            seen = self._connection.recv(_LONGEST_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return False  # nothing there, or an end that the sender meets by itself
        if not seen.startswith(b"HTTP/"):
            return bool(seen) and is_stuck
        # Interim answers (1xx) come before the final one, each a head of its own.
        for head in seen.split(b"\r\n\r\n"):
            status = _STATUS.match(head)
            if status is not None and not status[1].startswith(b"1"):
                return True
        return False
