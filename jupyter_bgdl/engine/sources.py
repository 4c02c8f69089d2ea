"""Where a file is fetched from: its address, and its mirrors once they are proven."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

import httpx
from msgspec.structs import replace

from jupyter_bgdl.engine import response as heads
from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.body import received
from jupyter_bgdl.engine.budget import host_of
from jupyter_bgdl.engine.judgement import refusal
from jupyter_bgdl.engine.outcomes import Abort, outcome_of
from jupyter_bgdl.engine.part import PartFile
from jupyter_bgdl.engine.protocol import FROM_MIRROR, Fetch
from jupyter_bgdl.engine.redirects import same_origin

_SAMPLE = 1 << 16
"""Bytes of what is there that a mirror has to give alike."""

_ELSEWHERE = {
    "connection",
    "refused",
    "unreachable",
    "name_not_resolved",
    "address_not_allowed",
    "truncated",
    "tls",
    "http_status",
    "protocol",
    "source_changed",
    "unexpected_content",
    "size_mismatch",
    "invalid_url",
    "redirect_loop",
    "redirect_downgrade",
    "redirect_scheme",
}
"""Failures that another address may not have."""


@dataclass
class Sample:
    """Bytes of the part, for a mirror to give as well."""

    start: int
    data: bytes

    @classmethod
    def of(cls, part: PartFile) -> Sample | None:
        """Somewhere in the longest range that is there; None: there is nothing."""
        extents = part.written
        if not extents:
            return None
        start, end = max(extents, key=lambda extent: extent[1] - extent[0])
        size = min(_SAMPLE, end - start)
        at = random.randint(start, end - size)  # noqa: S311 - not a secret
        return cls(at, part.read(at, size))


@dataclass
class Source:
    """One address, and what it said about the version that it has."""

    number: int
    """0: the address itself; else the mirror's."""
    unit: Fetch
    """As it is sent there."""
    validator: str | None = None
    has_delivered: bool = False
    """Bytes of it are in the part."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return host_of(self.unit.url)

    @property
    def name(self) -> str:
        """For people: without what may be secret."""
        url = httpx.URL(self.unit.url)
        return f"{url.host}{url.path}"

    def judge(self, response: Answer, sample: Sample, total: int) -> None:
        """Pin the validator, if the response to a request for the sample proves that this is the
        same file. Raises Abort with the reason why not."""
        headers = response.headers
        end = sample.start + len(sample.data)
        if response.status_code not in (200, 206):
            raise refusal(response)
        found = heads.content_range(headers)
        length = heads.content_length(headers) if found is None else found.total
        if length != total:
            raise Abort("protocol", f"it has {length} bytes, not {total}")
        if found is None or found.start != sample.start or found.end < end:
            raise Abort("protocol", "it gives no ranges")
        validator = heads.validator(headers)
        if validator is None:
            raise Abort("protocol", "it does not say which version it has")
        data = b""
        for chunk in received(response.iter_raw()):
            data += chunk
            if len(data) >= len(sample.data):
                break
        if data[: len(sample.data)] != sample.data:
            raise Abort("protocol", "its bytes differ")
        self.validator = validator


_TELLING = ("protocol", "http_status", "checksum_mismatch", "address_not_allowed")
"""Failures whose message says more than their reason."""


class Sources:
    """The addresses of one unit, in the order in which they are tried."""

    def __init__(self, unit: Fetch) -> None:
        patience = unit.timeout / (1 + len(unit.mirrors))
        self._all = [Source(0, replace(unit, timeout=patience))]
        for number, url in enumerate(unit.mirrors, 1):
            headers = unit.headers if _same_origin(url, unit.url) else {}
            mirror = replace(unit, url=url, headers=headers, timeout=patience)
            self._all.append(Source(number, mirror))
        self.usable = list(self._all)
        self.current = self._all[0]
        """The one for the next request."""
        self.notes: list[str] = []
        self._untried = self._all[1:]
        self._failure: Abort | None = None

    def pin(self, source: Source) -> str | None:
        """The part is begun from this source. Returns what stands for its version in a report."""
        if source.validator is None or source.number == 0:
            return source.validator
        return f"{source.validator}{FROM_MIRROR}{source.number}"

    def unpin(self, validator: str | None) -> None:
        """Go on where an earlier attempt began, with what :meth:`pin` returned then."""
        if validator is None:
            return
        text, _, number = validator.partition(FROM_MIRROR)
        index = int(number) if number.isdigit() else 0
        if index < len(self._all):
            self.current = self._all[index]
            self.current.validator = text
            self._untried = [source for source in self._all if source is not self.current]

    def forget(self) -> None:
        """What was fetched is given up: no source is known to have the file."""
        for source in self._all:
            source.validator, source.has_delivered = None, False

    @property
    def are_mixed(self) -> bool:
        """The part has bytes of several addresses."""
        return len(self._delivered()) > 1

    def go_alone(self) -> None:
        """Do without mirrors: what came from several addresses is not the right file."""
        self.current, *others = self._delivered()
        for source in others:
            self.drop(source, Abort("checksum_mismatch", "with its bytes the checksum is wrong"))
        self.usable, self._untried = [self.current], []

    def _delivered(self) -> list[Source]:
        return [source for source in self._all if source.has_delivered]

    def advance(self, failure: Abort) -> None:
        """Turn to another address after ``failure``; raises the first one if there is none."""
        self._failure = self._failure or failure
        if not is_elsewhere(failure):
            raise failure
        if not self._untried:
            raise self._failure
        self.drop(self.current, failure)
        self.current = self._untried.pop(0)

    def drop(self, source: Source, failure: Abort) -> None:
        """This mirror is not used any more."""
        if source in self.usable:
            self.usable.remove(source)
            reason = outcome_of(failure.code, failure.status_code).reason
            why = failure.message if failure.code in _TELLING else reason
            kind = f"Mirror {source.number}" if source.number else "The address itself"
            self.notes.append(f"{kind} ({source.name}) was dropped: {(why or reason).rstrip('.')}.")


def is_elsewhere(failure: Abort) -> bool:
    """Whether another address, or another connection, may do better."""
    return failure.code in _ELSEWHERE


def _same_origin(one: str, other: str) -> bool:
    try:
        return same_origin(httpx.URL(one), httpx.URL(other))
    except (httpx.InvalidURL, ValueError):
        return False
