"""Sends the requests of one upload, with a stretch of the file as their body or with none."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

import httpx

from jupyter_bgdl.engine.client import Asker, Body
from jupyter_bgdl.engine.ear import Ear
from jupyter_bgdl.engine.lifeline import Lifeline
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.throttle import Throttle
from jupyter_bgdl.engine.upload_source import SourceFile

_LOST = ("connection", "unreachable", "protocol", "no_descriptors")
"""Failures that, once a body was begun, leave open what the server makes of it."""
_STEP = 0.05
_DRAINED = 65536
"""Bytes of a body that are read for the sake of the connection, so that it is used again."""


class Sender:
    """Keeps the count of what was sent. One response is open at a time; the next request, or
    :meth:`close`, closes it."""

    def __init__(
        self, asker: Asker, lifeline: Lifeline, source: SourceFile, throttle: Throttle
    ) -> None:
        self.source = source
        self.sent = 0
        """Bytes of the file that are with the server, or on their way to it."""
        self.is_unrepeatable = False
        """A body was begun that must not be sent again unasked."""
        self.held = -math.inf
        """When (monotonic) it was last kept waiting by the throttle."""
        self._throttle = throttle
        self._asker = asker
        self._lifeline = lifeline
        self._ended: Abort | None = None
        self._response: httpx.Response | None = None
        self._open = contextlib.ExitStack()

    def end(self, abort: Abort) -> None:
        """From another thread: make what runs, and all that follows, raise ``abort``."""
        self._ended = abort
        self._lifeline.cut()

    def close(self) -> None:
        self._open.close()

    def ask(self, method: str, address: str, headers: dict[str, str]) -> httpx.Response:
        """A request without a body, redirects followed. Raises Abort."""
        return self._request(method, address, headers, None)

    def send(
        self,
        method: str,
        address: str,
        headers: dict[str, str],
        start: int,
        end: int,
        *,
        repeatable: bool,
    ) -> httpx.Response:
        """A request with the bytes ``[start, end)`` of the file, redirects followed: the file is
        read anew for each address.

        Raises Abort: ``response_lost`` where the connection fails after the body was begun and
        the request is not ``repeatable``.
        """

        def body() -> Iterator[bytes]:
            self.source.check()
            self.sent = start
            # An empty body is sent before anybody asks for its first piece.
            self.is_unrepeatable = not repeatable and start == end
            return self._pieces(start, end, repeatable)

        try:
            return self._request(method, address, headers | _length(end - start), body)
        except Abort as abort:
            if self.is_unrepeatable and abort.code in _LOST:
                raise Abort(
                    "response_lost",
                    "The connection was lost before the answer came. The server may have acted "
                    f"on this {method} already, so it is not repeated; retry() does.",
                ) from abort
            raise

    def create(self, method: str, address: str, headers: dict[str, str]) -> httpx.Response:
        """A request with an empty body. Raises Abort."""
        return self._request(method, address, headers | _length(0), None)

    def pause(self, seconds: float) -> None:
        """Raises Abort if it is ended meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._check()
            time.sleep(_STEP)

    def _request(
        self, method: str, address: str, headers: dict[str, str], body: Body | None
    ) -> httpx.Response:
        self._check()
        self._settle()
        self._response = self._open.enter_context(self._asker.ask(method, address, headers, body))
        self._check()
        return self._response

    def _settle(self) -> None:
        """Be done with the response before."""
        response, self._response = self._response, None
        if response is not None and not response.is_stream_consumed:
            length = response.headers.get("content-length", "0")
            is_short = "transfer-encoding" not in response.headers and len(length) < 6
            if response.request.method == "HEAD" or (is_short and int(length) <= _DRAINED):
                with contextlib.suppress(httpx.HTTPError):
                    response.read()
        self._open.close()

    def _pieces(self, start: int, end: int, repeatable: bool) -> Iterator[bytes]:
        self.is_unrepeatable = not repeatable
        connection = self._lifeline.newest()
        assert connection is not None
        with Ear(connection) as ear:
            for piece in self.source.pieces(start, end, self._throttle.portion):
                self._check()
                yield piece
                self.sent += len(piece)
                ear.moved(self.sent)
                self._throttle.take(len(piece), self._hold)

    def _hold(self) -> None:
        self.held = time.monotonic()
        self._check()

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended


def _length(length: int) -> dict[str, str]:
    return {"Content-Length": str(length)}
