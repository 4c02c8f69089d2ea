"""Whether a response may be used for what it was asked for.

Nothing here reads a body. What a response's head says is read by ``response.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_bgdl.engine import response as heads
from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.names import suggested_name
from jupyter_bgdl.engine.outcomes import Abort, is_retryable, status_words
from jupyter_bgdl.engine.protocol import Fetch
from jupyter_bgdl.engine.response import ContentRange

_NO_FILE = (204, 205, 206)
"""Statuses of success that bring no complete file to one who did not ask for a range."""


class Unfit(Abort):
    """The answer to a request for a range can't go on with what is there."""


def range_request(start: int, end: int | None, total: int | None, validator: str) -> dict[str, str]:
    """Headers that ask for ``[start, end)`` of the version that ``validator`` stands for.

    The last range is asked for with an open end (RFC 9110, 14.1.2).
    """
    last = "" if end is None or end == total else end - 1
    return {"Range": f"bytes={start}-{last}", "If-Range": validator}


@dataclass(frozen=True)
class Whole:
    """What a head says of the whole body that follows."""

    name: str
    is_file: bool = True
    """False: the body of an error response, which somebody wants."""
    is_page: bool = False
    """It is a web page where a file was asked for, by all that can be told so far."""
    length: int | None = None
    ended_by_close: bool = False
    """Nothing tells a complete body from one that was cut off."""
    validator: str | None = None


def whole(response: Answer, unit: Fetch, *, resuming: bool) -> Whole:
    """Raises Abort if it is of no use. ``resuming``: a range was asked for."""
    headers = response.headers
    is_file = response.is_success and response.status_code not in _NO_FILE
    if not is_file:
        _check_refusal(response, unit)
    name = unit.name or suggested_name(unit.url, headers.get("content-disposition"))
    is_page = is_file and _is_odd_page(response, unit, name, resuming=resuming)
    if is_file:
        _check_size(response, unit)
    # Whatever the fields of a HEAD's response say, there is no content (RFC 9110, 9.3.2).
    length = 0 if unit.method == "HEAD" else heads.content_length(headers)
    return Whole(
        name=name,
        is_file=is_file,
        is_page=is_page,
        length=length,
        ended_by_close=length is None and "transfer-encoding" not in headers,
        validator=heads.validator(headers) if is_file else None,
    )


def continued(response: Answer, start: int, total: int | None, validator: str) -> ContentRange:
    """The range that a 206 brings, if it is exactly what follows in the same version.

    It may be shorter or longer than asked for. Raises :class:`Unfit` (``source_changed``: it is
    in order, but of another version), or Abort for an error status.
    """
    headers = response.headers
    if response.status_code != 206:
        if response.is_success or response.status_code == 416:
            raise Unfit("protocol", "the server gives no ranges", status_code=response.status_code)
        raise refusal(response)
    found = heads.content_range(headers)
    if (
        found is None
        or found.start != start
        or total not in (None, found.total)
        or heads.content_length(headers) not in (None, found.end - found.start)
        or heads.is_encoded(headers)
    ):
        raise Unfit("protocol", "not the range that was asked for", status_code=206)
    if not heads.same_version(headers, validator):
        raise Unfit("source_changed", status_code=206)
    return found


def is_complete(response: Answer, length: int, total: int | None, validator: str) -> bool:
    """Whether a 416 says that nothing follows ``length``: only if size and version fit."""
    headers = response.headers
    return (
        response.status_code == 416
        and total in (None, length)
        and heads.unsatisfied_total(headers) == length
        and heads.same_version(headers, validator)
    )


def _is_odd_page(response: Answer, unit: Fetch, name: str, *, resuming: bool) -> bool:
    """Whether it is a web page where a file was asked for, by all that can be told so far.

    Raises Abort ``unexpected_content`` if that is certain.
    """
    headers = response.headers
    if unit.accept_html or not heads.is_web_page(headers):
        return False
    length = heads.content_length(headers)
    another_size = unit.size is not None and unit.size != length
    if resuming or not heads.may_be_web_page(name) or another_size:
        raise Abort("unexpected_content", status_code=response.status_code)
    return True


def _check_size(response: Answer, unit: Fetch) -> None:
    """Raises Abort if the length that is offered is none that a file can have, or not the one
    that the person named."""
    length = heads.content_length(response.headers)
    if length is not None and length > heads.LARGEST:
        raise Abort("protocol", "no file can be so long")
    if unit.size is not None and length is not None and unit.size != length:
        raise Abort("size_mismatch", f"{unit.size} bytes expected, {length} offered")


def _check_refusal(response: Answer, unit: Fetch) -> None:
    """Raises for a status that brings no file, unless its body is wanted."""
    status = response.status_code
    wanted = unit.error_bodies and (unit.last or not is_retryable(status))
    # A login is asked for, rather than its page taken for the answer (fault R6).
    if not wanted or status in (206, 401, 407):
        raise refusal(response)


def refusal(response: Answer) -> Abort:
    """A status that brings no file, as the failure that it is."""
    status = response.status_code
    if status == 407:
        return Abort("proxy_authentication", status_code=status)
    if status == 206:
        return Abort("protocol", "a range that was not asked for", status_code=status)
    return Abort(
        "http_status",
        status_words(status),
        status_code=status,
        retry_after=heads.retry_after(response.headers),
    )
