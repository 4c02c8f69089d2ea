"""What a notebook asks for, as a :class:`~jupyter_bgdl.model.TaskSpec`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.kernel import files
from jupyter_bgdl.model import IfExists, Request, TaskSpec
from jupyter_bgdl.properties import LONGEST_DESCRIPTION

T = TypeVar("T")

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


def upload_spec_of(request: Request, from_file: str | os.PathLike[str], **fields: Any) -> TaskSpec:
    """A suspended upload. Raises InvalidRequest."""
    if not isinstance(request, Request):
        raise InvalidRequest(
            'An upload needs a Request that has its method: Request(url, method="PUT").'
        )
    return TaskSpec(
        request=request, from_file=files.resolve_source(from_file), resume=False, **fields
    )


def each(
    name: str, given: Mapping[str, T] | Sequence[T | None], sources: Sequence[Source]
) -> list[T | None]:
    """What each of the sources is given of its own. Raises InvalidRequest for a value that would
    be that of all, for URLs that are no source, and for a list that is not as long."""
    if isinstance(given, Mapping):
        urls = [source.url if isinstance(source, Request) else source for source in sources]
        if unknown := sorted(set(given) - set(urls)):
            raise InvalidRequest(f"{name}= has {len(unknown)} URLs that are none of the sources.")
        return [given.get(url) for url in urls]
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidRequest(f"{name}= is a dict by URL, or a list with one for each source.")
    if not given:
        return [None] * len(sources)
    if len(given) != len(sources):
        raise InvalidRequest(f"{name}= has {len(given)} entries for {len(sources)} sources.")
    return list(given)


def properties_of(
    task_description: str,
    priority: float,
    earliest_begin_date: datetime | timedelta | None,
    count_to_send: int | None,
    count_to_receive: int | None,
) -> dict[str, Any]:
    """The properties of a task as fields of its spec. Raises InvalidRequest."""
    return {
        "description": description_of(task_description),
        "priority": priority_of(priority),
        "earliest_begin_date": moment_of(earliest_begin_date),
        "count_of_bytes_client_expects_to_send": count_of(count_to_send),
        "count_of_bytes_client_expects_to_receive": count_of(count_to_receive),
    }


def description_of(value: str) -> str:
    """Raises InvalidRequest."""
    if not isinstance(value, str) or len(value) > LONGEST_DESCRIPTION:
        raise InvalidRequest(f"A description has at most {LONGEST_DESCRIPTION} characters.")
    return value


def priority_of(value: float) -> float:
    """Raises InvalidRequest."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidRequest(f"A priority is a number from 0 to 1, not {value!r}.")
    return float(value)


def count_of(value: int | None) -> int | None:
    """Bytes; None: nobody knows. Raises InvalidRequest."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRequest(
            f"An expected count is a number of bytes, not {value!r}; None means unknown."
        )
    return value


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
