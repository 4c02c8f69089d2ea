"""An upload that goes on after an interruption, in either of two protocols.

    ask (OPTIONS) ─▶ create ─▶ append (PATCH) ─▶ the answer
                       ▲          │    ▲
                       │ gone     ▼    │ where it is
                       └──────── ask (HEAD)

What the server has is asked for, never guessed: after an interruption, after an answer that was
lost, and when it says that an offset (409) or a checksum (460) does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx

from jupyter_bgdl.engine import redirects
from jupyter_bgdl.engine.ietf import Ietf
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import Report, Resumable, Resumption, Upload
from jupyter_bgdl.engine.sender import Sender
from jupyter_bgdl.engine.tus import Tus

Dialect = Ietf | Tus

_FRESH_STARTS = 3
_FUTILE = 3
"""How often in a row it may be asked where the upload is without its having moved."""

_GONE = (403, 404, 410)
_MISFITS = (409, 460)
_LOCKED = 423
"""Of tus servers: an earlier request still holds the upload."""
_LOCK_PAUSE = 0.5
_LOCK_TRIES = 20


def offered(sender: Sender, method: str, address: str) -> Dialect | None:
    """What the server says that it speaks. Asking changes nothing there (RFC 9110, 9.3.7)."""
    response = sender.ask("OPTIONS", address, Ietf().asking())
    if response.is_success and response.request.method == "OPTIONS":
        for dialect in (Tus, Ietf):
            if dialect.is_offered(response, method):
                return dialect()
    return None


def dialect_of(resumption: Resumption) -> Dialect:
    return Tus() if resumption.protocol == "tus" else Ietf()


class ResumableUpload:
    """Brings the file to an upload resource."""

    def __init__(
        self, sender: Sender, unit: Upload, dialect: Dialect, report: Callable[[Report], None]
    ) -> None:
        self._sender = sender
        self._unit = unit
        self._dialect = dialect
        self._report = report
        self._resource = unit.resumption.url if unit.resumption is not None else None
        self._size = sender.source.size
        self._longest: int | None = None

    def run(self) -> httpx.Response:
        """The answer that ends it: of the last request, or of one that was refused.

        Raises Abort.
        """
        for _ in range(_FRESH_STARTS):
            offset = None
            if self._resource is None:
                refusal = self._create()
                if refusal is not None:
                    return refusal
                offset = 0
            response = self._send(offset)
            if response is not None:
                return response
            self._resource = None
        raise Abort("protocol", "The server keeps losing the upload.")

    def _create(self) -> httpx.Response | None:
        """Make an upload resource. Returns the answer if it is a refusal."""
        unit = self._unit
        kind = httpx.Headers(unit.headers).get("content-type")
        headers = self._dialect.creation(self._size, self._sender.source.name, kind)
        response = self._sender.create(unit.method, unit.url, headers)
        if not response.is_success:
            return response
        if "location" not in response.extensions:
            raise Abort("protocol", "The server made no upload resource.")
        self._longest = self._dialect.longest(response)
        self._resource = str(redirects.target(response.url, response, unit.allow_downgrade))
        self._sender.sent = 0
        self._report(Resumable(unit.attempt, Resumption(self._dialect.name, self._resource)))
        return None

    def _send(self, offset: int | None) -> httpx.Response | None:
        """Append what is missing. None: the upload is not there any more."""
        moves = _Moves(self._sender)
        while True:
            if offset is None:
                response = self._ask()
                if response.status_code == _LOCKED:
                    moves.locked()
                    continue
                if response.status_code in _GONE:
                    return None
                if not response.is_success:
                    return response
                offset = self._offset(response)
                if not self._dialect.fits(response, self._size):
                    return None
                if self._dialect.is_complete(response, offset, self._size):
                    self._sender.sent = self._size
                    return response
            moves.reached(offset)
            response = self._append(offset)
            status, offset = response.status_code, None
            if status == _LOCKED:
                moves.locked()
            elif status in _GONE:
                return None
            elif response.is_success:
                if "upload-offset" in response.headers:
                    offset = self._offset(response)
                if self._dialect.is_complete(response, offset, self._size):
                    return response
            elif status not in _MISFITS:
                return response

    def _ask(self) -> httpx.Response:
        assert self._resource is not None
        response = self._sender.ask("HEAD", self._resource, self._dialect.asking())
        self._longest = self._dialect.longest(response) or self._longest
        return response

    def _append(self, offset: int) -> httpx.Response:
        assert self._resource is not None
        end = self._size if self._longest is None else min(self._size, offset + self._longest)
        headers = self._dialect.appending(offset, is_last=end == self._size)
        return self._sender.send("PATCH", self._resource, headers, offset, end, repeatable=True)

    def _offset(self, response: httpx.Response) -> int:
        told = response.headers.get("upload-offset", "")
        if not re.fullmatch(r"[0-9]{1,18}", told) or int(told) > self._size:
            raise Abort("protocol", "The server does not say how far the upload is.")
        return int(told)


class _Moves:
    """Gives up on a server with which the upload does not move. Raises Abort."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._furthest = -1
        self._futile = 0
        self._locked = 0

    def reached(self, offset: int) -> None:
        self._futile = self._futile + 1 if offset <= self._furthest else 0
        self._furthest = max(offset, self._furthest)
        if self._futile > _FUTILE:
            raise Abort("protocol", "The upload does not move.")

    def locked(self) -> None:
        """Wait a little for an earlier request to let go of the upload."""
        self._locked += 1
        if self._locked > _LOCK_TRIES:
            raise Abort("connection", "The server still holds the upload for an earlier request.")
        self._futile = 0
        self._furthest = -1
        self._sender.pause(_LOCK_PAUSE)
