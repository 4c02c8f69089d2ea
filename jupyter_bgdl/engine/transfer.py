"""One fetch: from the request to a part that is complete, durable and verified.

    reopen the part ─▶ ask ─▶ judge the head ─▶ copy the body ─▶ verify ─▶ Ready
                       ▲           │ start over     │ 206 was short
                       └───────────┴────────────────┘

Bytes of two versions of a resource never meet in one part: what does not fit the validator of
the first response opens a new part.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import httpx

from jupyter_bgdl.engine import response as heads
from jupyter_bgdl.engine.body import read_body
from jupyter_bgdl.engine.checkpoints import Checkpoints
from jupyter_bgdl.engine.client import Asker, Lifeline
from jupyter_bgdl.engine.digest import Digest
from jupyter_bgdl.engine.names import suggested_name
from jupyter_bgdl.engine.outcomes import Abort, is_retryable
from jupyter_bgdl.engine.part import PartFile, discard
from jupyter_bgdl.engine.protocol import (
    Checkpoint,
    Extents,
    Failed,
    Fetch,
    Headers,
    Ready,
    Report,
    Unchanged,
)
from jupyter_bgdl.engine.room import is_short
from jupyter_bgdl.engine.throttle import Throttle

_log = logging.getLogger(__name__)

_FRESH_STARTS = 3
"""How often one attempt starts from zero before it gives up."""

_NO_FILE = (204, 205, 206)
"""Statuses of success that bring no complete file to one who did not ask for a range."""


class Transfer:
    """Runs a :class:`Fetch` in the calling thread; other threads may :meth:`end` it."""

    def __init__(
        self, unit: Fetch, emit: Callable[[Report], None], throttle: Throttle | None = None
    ) -> None:
        self.unit = unit
        self._throttle = throttle or Throttle()
        self.held = -math.inf
        """When (monotonic) it was last kept waiting by the throttle."""
        self.may_write = False
        """Whether it may touch files. While it does not, an ended attempt may be given up: it
        looks whether it was ended before it sets to work."""
        self.on_network = True
        """Whether it waits for the network rather than for the disk."""
        self._emit = emit
        self._lifeline = Lifeline()
        self._ended: Abort | None = None
        self._part: PartFile | None = None
        self._stale: PartFile | None = None
        self._digest: Digest | None = None
        self._checkpoints: Checkpoints | None = None
        self._validator = unit.validator
        self._total = unit.total
        self._name = unit.name or suggested_name(unit.url)
        self._fresh_starts = 0
        self._changed = False
        self._unchanged = False
        self._is_page = False
        self._is_file = True
        """False for the body of an error response."""
        self._ended_by_close = False

    @property
    def received(self) -> int:
        part = self._part
        return part.frontier if part is not None else 0

    def end(self, code: str, message: str = "") -> None:
        """Make :meth:`run` fail with ``code`` soon. No byte reaches the part after this."""
        if self._ended is None:
            self._ended = Abort(code, message)
        self._lifeline.cut()

    def run(self) -> Ready | Unchanged | Failed:
        """Do it, and say how it ended. When this returns, nothing writes any more."""
        try:
            return self._fetch()
        except Abort as abort:
            return self._failed(self._ended or abort)
        except Exception:  # noqa: BLE001 - the others must not notice (logged)
            _log.exception("a transfer met an error that nobody foresaw")
            return self._failed(Abort("internal"))
        finally:
            self._lifeline.close()
            for part in (self._part, self._stale):
                if part is not None:
                    part.close()

    def _fetch(self) -> Ready | Unchanged:
        self._reopen()
        self._look_for_room(self.unit.total if self._part else None)
        if not self._is_complete():
            asker = Asker(self.unit, self._lifeline)
            try:
                while not self._ask(asker):
                    self._check()
            finally:
                asker.close()
        self.on_network = False
        if self._unchanged:
            return Unchanged(self.unit.attempt)
        return self._verified()

    def _look_for_room(self, size: int | None) -> None:
        """Raises Abort ``disk_space`` before bytes are fetched for which there is no room; of a
        size that nobody knows, what was expected counts."""
        unit = self.unit
        part = self._part.part.path if self._part is not None else None
        known = size if size is not None else unit.size if unit.size is not None else unit.expected
        if known is not None and is_short(unit.folder, known, part):
            raise Abort("disk_space", f"{known} bytes are needed")

    def _reopen(self) -> None:
        """Go on with the part of an earlier attempt, if it can be told to be that."""
        unit = self.unit
        length = unit.extents[0][1] if unit.extents and unit.extents[0][0] == 0 else 0
        is_whole = unit.total is not None and length == unit.total
        if unit.part is None or not length or (self._validator is None and not is_whole):
            return
        self._part = PartFile.reopen(unit.part, length)
        if self._part is not None:
            self._start_digest()

    def _is_complete(self) -> bool:
        return self._part is not None and self._part.frontier == self._total

    def _ask(self, asker: Asker) -> bool:
        """One request and its body. True if the part is complete."""
        begin = self.received
        conditions: dict[str, str] = {}
        if begin and self._validator is not None:
            conditions = {"Range": f"bytes={begin}-", "If-Range": self._validator}
        elif self._part is not None:
            self._start_over()
        if not conditions and self.unit.known is not None:
            conditions = heads.unless_changed(self.unit.known)
        with asker.get(conditions) as response:
            self._check()
            resuming = "Range" in conditions
            if resuming and response.status_code == 206:
                return self._continue(response, begin)
            if resuming and response.status_code == 416:
                return self._is_already_complete(response, begin)
            if conditions and not resuming and response.status_code == 304:
                self._unchanged = True
                return True
            return self._begin(response, resuming=resuming)

    def _continue(self, response: httpx.Response, begin: int) -> bool:
        """Take a 206, if it is exactly what follows in the version that the part holds."""
        headers = response.headers
        found = heads.content_range(headers)
        fits = (
            found is not None
            and found.start == begin
            and self._total in (None, found.total)
            and heads.content_length(headers) in (None, found.end - found.start)
            and not heads.is_encoded(headers)
        )
        assert self._validator is not None
        if found is None or not fits or not heads.same_version(headers, self._validator):
            self._changed = fits
            self._start_over()
            return False
        self._total = found.total
        self._announce(response)
        self._copy(response, found.end - found.start)
        return self._is_complete()

    def _is_already_complete(self, response: httpx.Response, begin: int) -> bool:
        """A 416 means that all is there only if length and version say so."""
        assert self._validator is not None
        if (
            self._total in (None, begin)
            and heads.unsatisfied_total(response.headers) == begin
            and heads.same_version(response.headers, self._validator)
        ):
            self._total = begin
            return True
        self._start_over()
        return False

    def _begin(self, response: httpx.Response, *, resuming: bool) -> bool:
        """Take a whole body into a new part."""
        unit, status, headers = self.unit, response.status_code, response.headers
        is_file = response.is_success and status not in _NO_FILE
        if not is_file:
            self._refuse(response)
        self._is_file = is_file
        length = heads.content_length(headers)
        self._name = unit.name or suggested_name(unit.url, headers.get("content-disposition"))
        if self._is_file:
            self._is_page = heads.is_web_page(headers) and not unit.accept_html
            if self._is_page and (
                resuming
                or not heads.may_be_web_page(self._name)
                or (unit.size is not None and unit.size != length)
            ):
                raise Abort("unexpected_content", status_code=status)
            if unit.size is not None and length is not None and unit.size != length:
                raise Abort("size_mismatch", f"{unit.size} bytes expected, {length} offered")
        self._total = length
        self._ended_by_close = length is None and "transfer-encoding" not in headers
        self._validator = heads.validator(headers) if self._is_file else None
        if self._part is not None:
            self._start_over()
        self._look_for_room(length)
        self._set_to_work()
        self._part = PartFile.create(unit.folder, unit.attempt)
        self._drop_stale()
        self._start_digest()
        self._announce(response)
        self._copy(response, length)
        self._total = self._part.frontier
        return True

    def _refuse(self, response: httpx.Response) -> None:
        """Raise for a status that brings no file, unless its body is wanted."""
        status = response.status_code
        if status == 407:
            raise Abort("proxy_authentication", status_code=status)
        if status == 206:
            raise Abort("protocol", "a range that was not asked for", status_code=status)
        wanted = self.unit.error_bodies and (self.unit.last or not is_retryable(status))
        if not wanted:
            raise Abort(
                "http_status",
                f"{status} {response.reason_phrase[:80]}".strip(),
                status_code=status,
                retry_after=heads.retry_after(response.headers),
            )

    def _start_over(self) -> None:
        """Leave the part alone; it goes when the next response is accepted into a new one."""
        self._fresh_starts += 1
        if self._fresh_starts > _FRESH_STARTS:
            raise Abort("source_changed" if self._changed else "protocol")
        self._end_digest()
        self._drop_stale()
        self._stale, self._part = self._part, None
        self._total = None

    def _drop_stale(self) -> None:
        if self._stale is not None:
            self._stale.discard()
            self._stale = None
        elif self.unit.part is not None and (
            self._part is not None and self._part.inode != self.unit.part.inode
        ):
            discard(self.unit.part)

    def _set_to_work(self) -> None:
        self.may_write = True
        self._check()

    def _announce(self, response: httpx.Response) -> None:
        assert self._part is not None
        self._emit(
            Headers(
                attempt=self.unit.attempt,
                url=str(response.url),
                status_code=response.status_code,
                headers=heads.metadata(response.headers),
                name=self._name,
                part=self._part.part,
                received=self._part.frontier,
                total=self._total,
                validator=self._validator,
            )
        )

    def _copy(self, response: httpx.Response, length: int | None) -> None:
        assert self._part is not None
        self._set_to_work()
        self._checkpoints = Checkpoints(self._part, self._report_checkpoint)
        try:
            read_body(response, self._part, length, self._check, self._throttle, self._hold)
        finally:
            self._checkpoints.end()
        self._check()
        self.may_write = False

    def _check(self) -> None:
        """Raises Abort if the attempt was ended, or its bytes don't reach the disk."""
        if self._ended is not None:
            raise self._ended
        if self._checkpoints is not None and self._checkpoints.failure is not None:
            raise self._checkpoints.failure

    def _hold(self) -> None:
        """The throttle makes it wait: nobody is to take that for a stall."""
        self._check()
        self.held = time.monotonic()

    def _report_checkpoint(self, part: PartFile) -> None:
        self._emit(Checkpoint(self.unit.attempt, part.extents))

    def _start_digest(self) -> None:
        if self.unit.checksum is not None and self._is_file and self._part is not None:
            self._digest = Digest(self.unit.checksum.partition(":")[0].lower(), self._part)

    def _end_digest(self) -> None:
        if self._digest is not None:
            self._digest.abandon()
            self._digest = None

    def _verified(self) -> Ready:
        unit, part = self.unit, self._part
        assert part is not None
        if part.sync():
            self._report_checkpoint(part)
        if self._is_file and unit.size is not None and part.frontier != unit.size:
            raise self._mismatch("size_mismatch")
        digest = self._digest.result() if self._digest is not None else None
        if digest is not None and unit.checksum is not None and digest != unit.checksum.lower():
            raise self._mismatch("checksum_mismatch")
        part.check()
        self._check()
        return Ready(
            attempt=unit.attempt,
            part=part.part,
            size=part.frontier,
            digest=digest,
            name=self._name,
            ended_by_close=self._ended_by_close,
        )

    def _mismatch(self, code: str) -> Abort:
        return Abort("unexpected_content" if self._is_page else code)

    def _failed(self, abort: Abort) -> Failed:
        self._end_digest()
        part = self._part
        extents: Extents | None = None
        if abort.code in ("checksum_mismatch", "size_mismatch") or not self._is_file:
            extents = [] if part is not None else None
        elif part is not None:
            try:
                part.sync()
            except Abort as error:
                _log.warning("the last checkpoint failed: %s", error.code)
            extents = part.extents
        return Failed(
            attempt=self.unit.attempt,
            code=abort.code,
            message=abort.message,
            status_code=abort.status_code,
            retry_after=abort.retry_after,
            extents=extents,
        )
