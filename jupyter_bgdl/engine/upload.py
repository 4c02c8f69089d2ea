"""One upload: a file as the body of a request.

    open the file ─▶ which protocol? ─▶ send ─▶ judge the answer ─▶ still the same file? ─▶ Uploaded

Where the server offers a resumable upload (``resumable.py``), it goes on after an interruption.
Else a PUT begins again (RFC 9110, 9.2.2: it is idempotent); a POST or PATCH whose answer was lost
is never repeated unasked.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable

import httpx

from jupyter_bgdl.engine import response as heads
from jupyter_bgdl.engine.client import Asker
from jupyter_bgdl.engine.lifeline import Lifeline
from jupyter_bgdl.engine.metrics import Collector
from jupyter_bgdl.engine.network import network_failure
from jupyter_bgdl.engine.outcomes import Abort, is_retryable, status_words
from jupyter_bgdl.engine.protocol import Failed, Metrics, Report, Upload, Uploaded, Withdraw
from jupyter_bgdl.engine.resumable import ResumableUpload, dialect_of, offered
from jupyter_bgdl.engine.sender import Sender
from jupyter_bgdl.engine.throttle import Throttle
from jupyter_bgdl.engine.upload_source import SourceFile

_log = logging.getLogger(__name__)

MAXIMUM_CONTENT = 1 << 20
"""Bytes that are kept of a response."""

_PATIENCE = 20.0
"""Seconds that withdrawing an upload may take."""


class UploadTransfer:
    """Runs an :class:`Upload` in the calling thread; other threads may :meth:`end` it."""

    def __init__(
        self, unit: Upload, emit: Callable[[Report], None], throttle: Throttle | None = None
    ) -> None:
        self.unit = unit
        self._throttle = throttle or Throttle()
        self.on_network = True
        self._emit = emit
        self._lifeline = Lifeline()
        self._ended: Abort | None = None
        self._sender: Sender | None = None
        self._collector = Collector()

    @property
    def received(self) -> int:
        """Bytes that were sent."""
        sender = self._sender
        return sender.sent if sender is not None else 0

    @property
    def held(self) -> float:
        """When (monotonic) it was last kept waiting by the throttle."""
        sender = self._sender
        return sender.held if sender is not None else -math.inf

    @property
    def may_write(self) -> bool:
        """Whether what is sent can't be taken back: only :meth:`run` knows then how it ended."""
        sender = self._sender
        return sender is not None and sender.is_unrepeatable

    def end(self, code: str, message: str = "") -> None:
        """Make :meth:`run` fail with ``code`` soon."""
        if self._ended is None:
            self._ended = Abort(code, message)
        if self._sender is not None:
            self._sender.end(self._ended)
        self._lifeline.cut()

    def run(self) -> Uploaded | Failed:
        """Do it, and say how it ended."""
        try:
            return self._upload()
        except Abort as abort:
            return self._failed(self._ending(abort))
        except Exception:  # noqa: BLE001 - the others must not notice (logged)
            _log.exception("an upload met an error that nobody foresaw")
            return self._failed(Abort("internal"))
        finally:
            self._lifeline.close()
            self._emit(Metrics(self.unit.attempt, list(self._collector)))

    def _upload(self) -> Uploaded:
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(contextlib.closing(SourceFile(self.unit.source)))
            asker = Asker(self.unit, self._lifeline, self._collector)
            stack.callback(asker.close)
            sender = stack.enter_context(
                contextlib.closing(Sender(asker, self._lifeline, source, self._throttle))
            )
            self._sender = sender
            if self._ended is not None:
                raise self._ended
            response = self._answer(sender)
            self._judge(response, sender)
            content = self._content(response, sender)
            if response.is_success:
                source.check()
        return Uploaded(
            attempt=self.unit.attempt,
            url=str(response.url),
            status_code=response.status_code,
            headers=heads.metadata(response.headers),
            content=content,
        )

    def _answer(self, sender: Sender) -> httpx.Response:
        unit = self.unit
        known = unit.resumption
        dialect = dialect_of(known) if known else offered(sender, unit.method, unit.url)
        if dialect is not None:
            return ResumableUpload(sender, unit, dialect, self._emit).run()
        # The type goes with the body to whatever address; what else was given stays at home.
        kind = httpx.Headers(unit.headers).get("content-type")
        return sender.send(
            unit.method,
            unit.url,
            {"Content-Type": kind} if kind else {},
            0,
            sender.source.size,
            repeatable=unit.method == "PUT",
        )

    def _judge(self, response: httpx.Response, sender: Sender) -> None:
        """Raise for an answer that is no outcome yet: one to be tried again, or a login."""
        status = response.status_code
        if status == 407:
            raise Abort("proxy_authentication", status_code=status)
        again = is_retryable(status) and not sender.is_unrepeatable and not self.unit.last
        if status == 401 or again:
            raise Abort(
                "http_status",
                status_words(status),
                status_code=status,
                retry_after=heads.retry_after(response.headers),
            )

    def _content(self, response: httpx.Response, sender: Sender) -> bytes:
        """The first MiB of the answer's body."""
        content = bytearray()
        try:
            for piece in response.iter_raw():
                content += piece
                if len(content) >= MAXIMUM_CONTENT:
                    break
        except httpx.TransportError as error:
            if sender.is_unrepeatable:
                raise Abort("response_lost", "The connection broke within the answer.") from error
            raise network_failure(error, response.url.host) from error
        return bytes(content[:MAXIMUM_CONTENT])

    def _ending(self, abort: Abort) -> Abort:
        """What ended it: what it was told, unless a body is out whose answer nobody heard."""
        ended, sender = self._ended, self._sender
        if ended is None:
            return abort
        whole = sender is not None and sender.sent == sender.source.size
        if sender is not None and sender.is_unrepeatable and (ended.code != "stopped" or whole):
            return Abort("response_lost", "It was ended before the server's answer came.")
        return ended

    def _failed(self, abort: Abort) -> Failed:
        return Failed(
            attempt=self.unit.attempt,
            code=abort.code,
            message=abort.message,
            status_code=abort.status_code,
            retry_after=abort.retry_after,
        )


def withdraw(unit: Withdraw) -> Failed:
    """Delete an upload resource that nobody will go on with (tus: termination extension)."""
    resumption = unit.upload.resumption
    assert resumption is not None
    lifeline = Lifeline()
    watch = threading.Timer(_PATIENCE, lifeline.cut)
    watch.daemon = True
    watch.start()
    try:
        with (
            contextlib.closing(Asker(unit.upload, lifeline)) as asker,
            asker.ask("DELETE", resumption.url, dialect_of(resumption).asking()),
        ):
            pass
    except Abort as abort:
        _log.info("an upload could not be withdrawn: %s", abort.code)
    finally:
        watch.cancel()
        lifeline.close()
    return Failed(attempt=unit.attempt, code="stopped")
