"""What a response's head says about the body, judged without I/O.

Rules are those of RFC 9110: ranges (section 14), validators (8.8), conditional ranges (13.1.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath

from jupyter_bgdl.engine.protocol import Known

_CONTENT_RANGE = re.compile(r"^bytes (\d{1,19})-(\d{1,19})/(\d{1,19})$")
_UNSATISFIED = re.compile(r"^bytes \*/(\d{1,19})$")
_STRONG_ETAG = re.compile(r'^"[\x21\x23-\x7e\x80-\xff]*"$')
LARGEST = 2**63 - 1

_KEPT = re.compile(r"^(content-.+|etag|last-modified|accept-ranges|date)$", re.IGNORECASE)

_WEB_PAGES = {"", ".html", ".htm", ".xhtml", ".shtml", ".php", ".asp", ".aspx", ".jsp", ".cgi"}
"""Extensions under which a web page is what one would expect."""


@dataclass(frozen=True)
class ContentRange:
    """``Content-Range: bytes start-(end - 1)/total``."""

    start: int
    end: int
    total: int


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """The range of a 206; None if it is missing, of unknown length, or makes no sense."""
    match = _CONTENT_RANGE.match(headers.get("content-range", ""))
    if match is None:
        return None
    start, last, total = (int(group) for group in match.groups())
    if not start <= last < total <= LARGEST:
        return None
    return ContentRange(start, last + 1, total)


def unsatisfied_total(headers: Mapping[str, str]) -> int | None:
    """The complete length that a 416 names."""
    match = _UNSATISFIED.match(headers.get("content-range", ""))
    return int(match[1]) if match else None


def content_length(headers: Mapping[str, str]) -> int | None:
    """Length of the body that follows; None if it ends otherwise."""
    if "transfer-encoding" in headers:
        return None
    # The HTTP parser has refused what is negative, junk or contradictory.
    length = headers.get("content-length")
    return int(length.split(",")[0]) if length else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the body is an encoding of the resource, although identity was asked for."""
    return headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def validator(headers: Mapping[str, str]) -> str | None:
    """What may stand in If-Range: a strong ETag, else a strong Last-Modified (8.8.2.2).

    None for an encoded body: what was asked for next time might come unencoded.
    """
    if is_encoded(headers):
        return None
    etag = headers.get("etag")
    if etag is not None:
        return etag if _STRONG_ETAG.match(etag) else None
    modified = headers.get("last-modified")
    then, now = _http_date(modified), _http_date(headers.get("date"))
    if then is None or now is None or (now - then).total_seconds() < 1:
        return None
    return modified


def same_version(headers: Mapping[str, str], expected: str) -> bool:
    """Whether a response is of the version that ``expected`` (a validator) stands for."""
    name = "etag" if expected.startswith('"') else "last-modified"
    return headers.get(name) == expected


def unless_changed(known: Known) -> dict[str, str]:
    """The conditions of a GET that is to bring nothing if the resource is still the known one.

    The ETag decides alone where there is one (13.1.3); a weak one will do, since 13.1.2 compares
    weakly.
    """
    if known.etag is not None:
        return {"If-None-Match": known.etag}
    if known.last_modified is not None:
        return {"If-Modified-Since": known.last_modified}
    return {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait (10.2.3), never negative; a date is read by the server's own clock."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}", value):
        return float(value)
    due = _http_date(value)
    if due is None:
        return None
    now = _http_date(headers.get("date")) or datetime.now(UTC)
    return max(0.0, (due - now).total_seconds())


def is_web_page(headers: Mapping[str, str]) -> bool:
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    return media_type in ("text/html", "application/xhtml+xml")


def may_be_web_page(name: str) -> bool:
    """Whether somebody who asks for a file of this name may expect a web page."""
    return PurePosixPath(name).suffix.lower() in _WEB_PAGES


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that describe the representation; cookies and the like stay behind."""
    return {name: value for name, value in headers.items() if _KEPT.match(name)}


def _http_date(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
