"""What a notebook asks for, as a :class:`~jupyter_bgdl.model.TaskSpec`."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from typing import Any

from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.kernel import files
from jupyter_bgdl.model import IfExists, Request, TaskSpec

Source = str | Request
"""What can be downloaded: a URL, or a request with headers."""


def spec_of(
    source: Source, headers: dict[str, str] | None, *, if_exists: str = "keep", **fields: Any
) -> TaskSpec:
    """``headers`` win over the source's own. Raises InvalidRequest."""
    if isinstance(source, str):
        request = Request(source, headers=dict(headers or {}))
    elif isinstance(source, Request):
        merged = {**source.headers, **(headers or {})}
        request = Request(source.url, source.method, merged)
    else:
        raise InvalidRequest(f"A source is a URL or a Request, not {source!r}.")
    return TaskSpec(request=request, if_exists=_if_exists(if_exists), **fields)


def upload_spec_of(request: Request, from_file: str | os.PathLike[str]) -> TaskSpec:
    """A suspended upload. Raises InvalidRequest."""
    if not isinstance(request, Request):
        raise InvalidRequest(
            'An upload needs a Request that has its method: Request(url, method="PUT").'
        )
    return TaskSpec(request=request, from_file=files.resolve_source(from_file), resume=False)


def _if_exists(value: str) -> IfExists:
    try:
        return IfExists(value)
    except ValueError:
        known = ", ".join(repr(str(member)) for member in IfExists)
        raise InvalidRequest(f"if_exists= is one of {known}, not {value!r}.") from None


def moment_of(date: datetime | timedelta | None) -> float | None:
    """Seconds since the epoch (UTC). Raises InvalidRequest for a datetime without a zone."""
    if date is None:
        return None
    if isinstance(date, timedelta):
        return time.time() + date.total_seconds()
    if not isinstance(date, datetime):
        raise InvalidRequest(f"A date is an aware datetime or a timedelta, not {date!r}.")
    if date.utcoffset() is None:
        raise InvalidRequest(
            f"{date!r} has no time zone. If it is your local time, write {date!r}.astimezone()."
        )
    return date.timestamp()
