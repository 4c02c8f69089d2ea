"""Rows as units of work for the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from jupyter_bgdl.engine.confines import Confines
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Extents,
    Fetch,
    Known,
    Part,
    Publish,
    Resumption,
    Source,
    Upload,
)
from jupyter_bgdl.model import IfExists, SessionOptions
from jupyter_bgdl.service import staging
from jupyter_bgdl.service.environment import headers_of
from jupyter_bgdl.service.policy import STATUS_TRIES
from jupyter_bgdl.service.tasks import part_of
from jupyter_bgdl.service.views import Row, spec_of

Fill = Callable[[dict[str, str]], dict[str, str]]
"""Makes headers as they are sent of those that are written down."""


class Intent(Struct, frozen=True, kw_only=True):
    """What is about to be published; in the ledger before the file gets its name."""

    part: Part
    size: int
    digest: str | None
    target: str
    keep: str | None


def intent_of(row: Row) -> Intent:
    return msgspec.json.decode(row["intent"], type=Intent)


def extents_of(row: Row) -> Extents:
    return msgspec.json.decode(row["extents"], type=Extents)


class Held(Struct, frozen=True, kw_only=True):
    """What the generation before published: it stays if the source is still the same."""

    path: str
    size: int
    validator: str
    response: str | None
    """JSON of the ResponseView."""
    verified: bool

    @property
    def known(self) -> Known:
        if self.validator.startswith('"'):
            return Known(etag=self.validator)
        return Known(last_modified=self.validator)


def held_in(row: Row) -> Held:
    return msgspec.json.decode(row["held"], type=Held)


def mark_of(row: Row, ledger: str) -> str:
    """The mark of what is fetched for a generation: an earlier one's part may be somebody else's
    by now, by resume data. ``ledger``: the ledger's own."""
    return f"{ledger}-{row['generation']}"


def fetch_of(
    row: Row,
    attempt: Attempt,
    options: SessionOptions,
    fill: Fill,
    mark: str,
    confines: Confines | None,
) -> Fetch:
    """``mark`` as of :func:`mark_of`."""
    spec = spec_of(row)
    destination = spec.destination
    name = None
    if destination is not None and not destination.endswith("/"):
        name = Path(destination).name
    return Fetch(
        attempt=attempt,
        group=row["session"],
        connections=options.maximum_connections_per_host,
        url=spec.request.url,
        mirrors=spec.mirrors,
        method=spec.request.method,
        headers=fill(headers_of(spec, options)),
        folder=row["folder"],
        confines=confines,
        mark=mark,
        name=name,
        part=part_of(row),
        extents=extents_of(row),
        validator=row["validator"],
        total=row["total"] if row["part_path"] is not None else None,
        checksum=spec.checksum,
        size=spec.size,
        expected=spec.count_of_bytes_client_expects_to_receive,
        known=held_in(row).known if row["held"] is not None else None,
        accept_html=spec.accept_html,
        allow_downgrade=spec.allow_downgrade,
        verify=spec.verify,
        error_bodies=destination is None,
        last=row["status_tries"] >= STATUS_TRIES,
        timeout=options.timeout_for_request,
        proxy=options.proxy,
        ca_bundle=options.ca_bundle,
    )


def intent_for(row: Row, part: Part, size: int, digest: str | None, name: str) -> Intent:
    spec = spec_of(row)
    target, keep = spec.destination, None
    if target is None or target.endswith("/"):
        target = str(Path(row["folder"]) / name)
    if spec.destination is None:
        keep = str(Path(row["folder"]) / staging.KEEP)
    return Intent(part=part, size=size, digest=digest, target=target, keep=keep)


def publish_of(row: Row, attempt: Attempt, confines: Confines | None) -> Publish:
    intent, spec = intent_of(row), spec_of(row)
    return Publish(
        attempt=attempt,
        part=intent.part,
        size=intent.size,
        target=intent.target,
        # A staging folder is the task's own: nothing in there is anybody else's.
        if_exists=spec.if_exists if intent.keep is None else IfExists.REPLACE,
        confines=confines,
        keep=intent.keep,
    )


def source_of(row: Row) -> Source | None:
    """The file of an upload; None: a download."""
    return None if row["source"] is None else msgspec.json.decode(row["source"], type=Source)


def resumption_of(row: Row) -> Resumption | None:
    if row["resumption"] is None:
        return None
    return msgspec.json.decode(row["resumption"], type=Resumption)


def upload_of(row: Row, attempt: Attempt, options: SessionOptions, fill: Fill) -> Upload:
    spec, source = spec_of(row), source_of(row)
    assert source is not None
    return Upload(
        attempt=attempt,
        group=row["session"],
        connections=options.maximum_connections_per_host,
        url=spec.request.url,
        method=spec.request.method,
        headers=fill(headers_of(spec, options)),
        source=source,
        resumption=resumption_of(row),
        last=row["status_tries"] >= STATUS_TRIES,
        allow_downgrade=spec.allow_downgrade,
        verify=spec.verify,
        timeout=options.timeout_for_request,
        proxy=options.proxy,
        ca_bundle=options.ca_bundle,
    )
