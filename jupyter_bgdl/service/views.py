"""Rows as anybody with read access may see them: nothing secret, words for a person."""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Struct

from jupyter_bgdl.asks import Challenge
from jupyter_bgdl.engine.protocol import Attempt
from jupyter_bgdl.launches import LaunchCell, LaunchView
from jupyter_bgdl.model import (
    Counts,
    ErrorView,
    KernelIdentity,
    OwnerView,
    Phase,
    ResponseView,
    SessionView,
    TaskKind,
    TaskSpec,
    TaskView,
    WaitingFor,
)
from jupyter_bgdl.service import drafts
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.rates import Meter
from jupyter_bgdl.service.redaction import redacted

Row = drafts.Row

_WORDS = {
    Phase.SUSPENDED: "Paused",
    Phase.RUNNING: "",
    Phase.FINISHING: "Checking",
    Phase.CANCELING: "Stopping",
}


class Live(Struct):
    """A task that the engine has, or has not let go of yet. In memory only."""

    attempt: Attempt
    session: int
    host: str
    number: int
    received: int
    """High-water mark of the generation: a view never shows less."""
    meter: Meter
    fetching: bool


def spec_of(row: Row) -> TaskSpec:
    return msgspec.json.decode(row["spec"], type=TaskSpec)


def begins_at(row: Row) -> float:
    """The moment of the wall clock before which the task may not run; 0: any time."""
    return spec_of(row).earliest_begin_date or 0.0


def owner_of(row: Row) -> KernelIdentity | None:
    """The identity of a session's owner."""
    if row["owner"] is None:
        return None
    return msgspec.json.decode(row["owner"], type=KernelIdentity)


class Views:
    """Each view that is made is newer than all before: the ledger has one thread."""

    def __init__(
        self,
        ledger: Ledger,
        live: Mapping[int, Live],
        launching: AbstractSet[int],
        held: Mapping[int, str],
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._launching = launching
        self._held = held

    def task(self, row: Row, identifier: str) -> TaskView:
        spec, phase = spec_of(row), Phase(row["phase"])
        live = self._live.get(row["id"])
        moving = live is not None and phase is Phase.RUNNING
        received = row["received"]
        if live and phase is not Phase.COMPLETED:
            received = max(received, live.received)
        waiting_for = WaitingFor(row["waiting_for"]) if row["waiting_for"] else None
        reason = _WORDS[phase] if phase in _WORDS else row["reason"]
        if waiting_for is WaitingFor.TURN and row["session"] in self._held:
            waiting_for, reason = WaitingFor.CONDITIONS, self._held[row["session"]]
        until = None
        if waiting_for is WaitingFor.EARLIEST_BEGIN_DATE and row["due"] is None:
            until = spec.earliest_begin_date
        elif row["due"] is not None:
            until = time.time() + row["due"] - self._ledger.clock()
        error = None
        if row["error_code"] is not None:
            error = ErrorView(row["error_code"], row["error_message"])
        challenge = None
        if waiting_for is WaitingFor.CREDENTIALS and row["challenge"] is not None:
            challenge = msgspec.json.decode(row["challenge"], type=Challenge)
        response = None
        if row["response"] is not None:
            response = msgspec.json.decode(row["response"], type=ResponseView)
        return TaskView(
            session=identifier,
            task_identifier=row["number"],
            kind=TaskKind.DOWNLOAD if row["source"] is None else TaskKind.UPLOAD,
            generation=row["generation"],
            revision=self._ledger.revision(),
            state=phase.state,
            phase=phase,
            waiting_for=waiting_for,
            until=until,
            reason=reason,
            name=row["name"],
            host=row["host"],
            url=redacted(spec.request.url),
            method=spec.request.method,
            description=spec.description,
            priority=row["priority"],
            earliest_begin_date=spec.earliest_begin_date,
            count_of_bytes_client_expects_to_send=spec.count_of_bytes_client_expects_to_send,
            count_of_bytes_client_expects_to_receive=spec.count_of_bytes_client_expects_to_receive,
            destination=spec.destination,
            path=row["path"],
            received=received,
            total=row["total"],
            resumed_at=row["resumed"] if response is not None else None,
            rate=live.meter.rate() if live and moving else 0.0,
            attempts=row["attempts"],
            checksum=spec.checksum,
            verified=bool(row["verified"]),
            verify=spec.verify,
            length_unverified=bool(row["length_unverified"]),
            challenge=challenge,
            error=error,
            response=response,
            created_at=row["created_at"],
            completed_at=row["completed_at"],
        )

    def session(self, row: Row) -> SessionView:
        received, rate = row["received"], 0.0
        for task, live in self._live.items():
            if live.session == row["id"] and live.fetching:
                stored = self._ledger.one("task", id=task)
                if stored and stored["phase"] == Phase.RUNNING:
                    received += max(0, live.received - stored["received"])
                    rate += live.meter.rate()
        owner = owner_of(row)
        return SessionView(
            identifier=row["identifier"],
            revision=self._ledger.revision(),
            owner=owner_view(owner) if owner else None,
            counts=Counts(**{name: row[name] for name in Counts.__struct_fields__}),
            received=received,
            total=row["total"],
            total_is_known=row["sizeless"] == 0,
            rate=rate,
            undelivered=row["undelivered"],
            parked=row["parked"],
            launch=launch_view(row, self._launching, self._ledger.clock(), time.time()),
            created_at=row["created_at"],
        )


def cell_of(row: Row) -> LaunchCell | None:
    """A session's launch cell."""
    if row["launch"] is None:
        return None
    return msgspec.json.decode(row["launch"], type=LaunchCell)


def launch_view(row: Row, running: AbstractSet[int], clock: float, now: float) -> LaunchView | None:
    """Of a session that has a launch cell; ``clock`` and ``now`` are one moment."""
    cell = cell_of(row)
    if cell is None:
        return None
    is_running, left = row["id"] in running, row["launch_due"] - clock
    waits = row["fruitless"] > 0 and left > 0 and not is_running
    return LaunchView(
        notebook=cell.notebook,
        target=cell.target,
        enabled=bool(row["launches"]),
        running=is_running,
        fruitless=0 if is_running else row["fruitless"],
        until=now + left if waits else None,
        last_run=row["launched_at"],
        notice=row["launch_notice"],
    )


def owner_view(kernel: KernelIdentity) -> OwnerView:
    return OwnerView(name=owner_name(kernel), kernel_id=kernel.kernel_id, notebook=kernel.notebook)


def owner_name(kernel: KernelIdentity) -> str:
    """For a person: the notebook's or script's file name."""
    if kernel.name:
        return kernel.name
    if kernel.notebook:
        return kernel.notebook.rpartition("/")[2]
    return f"process {kernel.pid}"
