"""What a report of the engine means for its task. Called inside a transaction."""

from __future__ import annotations

import http
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jupyter_bgdl.engine.protocol import (
    Checkpoint,
    Ending,
    Extents,
    Failed,
    Headers,
    Metrics,
    Progress,
    Published,
    Ready,
    Report,
    Resumable,
    Unchanged,
    Uploaded,
)
from jupyter_bgdl.errors import DestinationExists, QuotaExceeded
from jupyter_bgdl.model import IfExists, Phase, ResponseView, WaitingFor
from jupyter_bgdl.service import destinations
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.metrics import collect
from jupyter_bgdl.service.policy import Again, Give, History, Settings, is_signed, judge
from jupyter_bgdl.service.quotas import Quotas
from jupyter_bgdl.service.redaction import redacted
from jupyter_bgdl.service.submission import folded
from jupyter_bgdl.service.tasks import TURN, Tasks, part_of
from jupyter_bgdl.service.units import extents_of, held_in, intent_for, intent_of
from jupyter_bgdl.service.views import Live, Row, spec_of

if TYPE_CHECKING:
    from jupyter_bgdl.service.scheduler import Scheduler


class Outcomes:
    def __init__(
        self,
        ledger: Ledger,
        tasks: Tasks,
        live: Mapping[int, Live],
        settings: Settings,
        scheduler: Scheduler,
        leftovers: Leftovers,
        quotas: Quotas,
    ) -> None:
        self._ledger = ledger
        self._tasks = tasks
        self._live = live
        self._settings = settings
        self._scheduler = scheduler
        self._leftovers = leftovers
        self._quotas = quotas

    def take(self, report: Report) -> None:
        row = self._tasks.get(report.attempt.task)
        is_current = row is not None and row["attempt"] == report.attempt.number
        if isinstance(report, Ending):
            self._scheduler.engagements.let_go(report.attempt, row)
        if row is None or not is_current:
            return  # Of an older attempt, or of a task that was removed.
        if isinstance(report, Ready | Failed):
            for note in report.notes:
                self._tasks.note(row, note)
        match report:
            case Headers():
                self._headers(row, report)
            case Checkpoint():
                row = self._extents(row, report.extents)
                if row["total"] is None:
                    self._bound(row)
            case Ready():
                self._ready(row, report)
            case Unchanged():
                self._unchanged(row)
            case Published():
                self._published(row, report)
            case Resumable():
                self._scheduler.uploads.resumable(row, report)
            case Uploaded():
                self._scheduler.uploads.uploaded(row, report)
            case Metrics():
                collect(self._ledger, row, report)
            case Failed():
                self._failed(row, report)
            case Progress():
                pass  # Stays in memory.

    def _headers(self, row: Row, report: Headers) -> None:
        """Written in every phase: the part has to be known even if it is only to be deleted."""
        is_new = row["part_inode"] != report.part.inode or row["part_path"] != report.part.path
        live = self._live.get(row["id"])
        received = report.received
        if not is_new or row["part_path"] is None:
            received = max(received, row["received"])
        elif live:
            restarted = live
            self._ledger.on_commit(lambda: _restart(restarted, report.received))
        response = ResponseView(redacted(report.url), report.status_code, report.headers)
        spec = spec_of(row)
        named = spec.destination is not None and not spec.destination.endswith("/")
        row = self._tasks.update(
            row,
            part_path=report.part.path,
            part_device=report.part.device,
            part_inode=report.part.inode,
            extents=b"[]" if is_new else row["extents"],
            validator=report.validator,
            total=report.total,
            received=received,
            response=msgspec.json.encode(response),
            name=row["name"] if named else report.name,
            resumed=None if is_new else row["resumed"],
        )
        is_sole = spec.if_exists is not IfExists.RENAME
        if row["phase"] == Phase.RUNNING and spec.destination and not named and is_sole:
            row = self._claim(row, spec.destination + report.name)
        self._bound(row)

    def _bound(self, row: Row) -> None:
        """What it is to hold on the disk is known now, or has grown (threat T23)."""
        why = self._quotas.refusal_of_bytes(row) if row["phase"] == Phase.RUNNING else None
        if why is not None:
            self._scheduler.engagements.stop(row)
            self._tasks.complete(row, code=QuotaExceeded.code, message=why, reason="quota is full")

    def _claim(self, row: Row, path: str) -> Row:
        """The name in a folder is known now: nobody else may be writing there (fault D10), and
        there is no use in fetching what could not be published."""
        claim = folded(path)
        other = self._ledger.one("writer_of", claim=claim)
        if other and other["id"] != row["id"]:
            why = f"Task {other['number']} of session {other['identifier']!r} writes to {path}."
        elif spec_of(row).if_exists is IfExists.KEEP and Path(path).exists():
            why = f"{path} exists already."
        else:
            return self._tasks.update(row, claim=claim)
        self._scheduler.engagements.stop(row)
        return self._tasks.complete(
            row, code=DestinationExists.code, message=why, reason="file already exists"
        )

    def _extents(self, row: Row, extents: Extents) -> Row:
        if part_of(row) is None or extents == extents_of(row):
            return row
        safe = sum(end - start for start, end in extents)
        before = sum(end - start for start, end in extents_of(row))
        moved = {"tries": 0, "status_tries": 0, "name_tries": 0} if safe > before else {}
        return self._tasks.update(
            row,
            extents=msgspec.json.encode(extents),
            received=max(safe, row["received"]),
            **moved,
        )

    def _ready(self, row: Row, report: Ready) -> None:
        """C: the intent is committed, then it is published."""
        phase = row["phase"]
        if phase == Phase.CANCELING:
            self._scheduler.finish_cancel(row)
        elif phase == Phase.COMPLETED:
            self._drop_if_given_up(row)  # A small file was there before the engine could stop.
        if phase not in (Phase.RUNNING, Phase.WAITING, Phase.SUSPENDED):
            return
        intent = intent_for(row, report.part, report.size, report.digest, report.name)
        finishing = {
            "phase": Phase.FINISHING,
            "attempt": row["attempt"] + 1,
            "since": time.time(),
        }
        row = self._tasks.update(
            row,
            # One that was suspended meanwhile is published when it is resumed.
            **(finishing if phase == Phase.RUNNING else {}),
            intent=msgspec.json.encode(intent),
            part_path=report.part.path,
            part_device=report.part.device,
            part_inode=report.part.inode,
            extents=msgspec.json.encode([(0, report.size)] if report.size else []),
            received=report.size,
            total=report.size,
            verified=report.digest is not None,
            length_unverified=(
                report.ended_by_close and report.digest is None and spec_of(row).size is None
            ),
        )
        if phase == Phase.RUNNING:
            self._scheduler.engagements.publish(row)

    def _published(self, row: Row, report: Published) -> None:
        """D. A cancel that came too late for the file comes too late (fault E9)."""
        if row["phase"] not in (Phase.FINISHING, Phase.CANCELING):
            return
        self._scheduler.kept_parts.too_late(row)
        intent = intent_of(row)
        if report.copied:
            self._leftovers.drop_part(row)
        self._tasks.complete(
            row,
            path=report.path,
            name=Path(report.path).name,
            size=intent.size,
            keep=intent.keep,
            intent=None,
            part_path=None,
            part_device=None,
            part_inode=None,
            extents=b"[]",
        )

    def _unchanged(self, row: Row) -> None:
        """D without C: the file of the generation before is the newest, and stays."""
        if row["phase"] == Phase.CANCELING:
            self._scheduler.finish_cancel(row)
        elif row["phase"] in (Phase.RUNNING, Phase.WAITING, Phase.SUSPENDED):
            held = held_in(row)
            if destinations.size(held.path) == held.size:
                self._tasks.complete(
                    row,
                    path=held.path,
                    name=Path(held.path).name,
                    size=held.size,
                    received=held.size,
                    total=held.size,
                    validator=held.validator,
                    response=held.response.encode() if held.response else None,
                    verified=held.verified,
                )
                return
            # It was taken away, or changed, after it was looked at: fetched in any case then.
            row = self._tasks.update(row, held=None)
            if row["phase"] == Phase.RUNNING:
                row = self._tasks.wait(row, WaitingFor.TURN, TURN, None)
                self._scheduler.after(row)

    def _failed(self, row: Row, report: Failed) -> None:
        if report.extents is not None:
            row = self._extents(row, report.extents)
        phase, report = row["phase"], self._scheduler.uploads.lost(row, report)
        if phase == Phase.CANCELING:
            self._scheduler.finish_cancel(row)
        elif phase in (Phase.RUNNING, Phase.FINISHING):
            self._decide(row, report)
        elif phase in (Phase.SUSPENDED, Phase.WAITING) and report.code == "response_lost":
            self._decide(row, report)  # It was paused too late to be taken back.
        elif phase in (Phase.SUSPENDED, Phase.WAITING) and report.code == "part_lost":
            self._tasks.drop_part(row)
        elif phase == Phase.COMPLETED:
            self._drop_if_given_up(row)

    def _drop_if_given_up(self, row: Row) -> None:
        """What was given up when its name became known leaves nothing; hardly anything came."""
        if row["error_code"] == DestinationExists.code:
            self._leftovers.drop_part(row)
            self._tasks.drop_part(row)

    def _decide(self, row: Row, report: Failed) -> None:
        if report.needed is not None and row["total"] is None:
            row = self._tasks.update(row, total=report.needed)
        live = self._live.get(row["id"])
        received = max(row["received"], live.received if live else 0)
        is_upload = row["source"] is not None
        history = History(
            # What the engine reports of an upload may be tried again, or is final in any case.
            method="PUT" if is_upload else spec_of(row).request.method,
            received=received,
            tries=0 if is_upload and received > row["received"] else row["tries"],
            status_tries=row["status_tries"],
            name_tries=row["name_tries"],
            refetched=bool(row["refetched"]),
            signed=is_signed(spec_of(row).request.url),
        )
        decision = judge(report, history, self._settings)
        if isinstance(decision, Give):
            self._give_up(row, report, decision)
        else:
            self._again(row, report, decision, received)

    def _again(self, row: Row, report: Failed, decision: Again, received: int) -> None:
        waiting_for, due = decision.waiting_for, None
        if waiting_for is not WaitingFor.TURN and decision.delay < math.inf:
            due = self._ledger.clock() + decision.delay
        row = self._tasks.wait(
            row,
            waiting_for,
            decision.reason if waiting_for is not WaitingFor.TURN else "Waits its turn",
            due,
            received=received,
            tries=decision.tries,
            status_tries=decision.status_tries,
            name_tries=decision.name_tries,
            refetched=decision.refetched,
        )
        if decision.from_zero:
            self._leftovers.drop_part(row)
            row = self._tasks.drop_part(row)
        if waiting_for is WaitingFor.CREDENTIALS:
            answered = _status(report.status_code or 0)
            row = self._scheduler.asks.challenge(
                row, report.status_code, f"the server answered {answered}"
            )
        self._scheduler.after(row)

    def _give_up(self, row: Row, report: Failed, decision: Give) -> None:
        more = {}
        if report.status_code is not None:
            response = ResponseView(redacted(spec_of(row).request.url), report.status_code)
            more["response"] = msgspec.json.encode(response)
        message = decision.message
        if report.code == "http_status" and report.status_code is not None:
            message = f"The server answered {_status(report.status_code)}."
        self._tasks.complete(
            row, code=decision.code, message=message, reason=decision.reason, **more
        )


def _restart(live: Live, received: int) -> None:
    live.received = received
    live.meter.add(received)


def _status(code: int) -> str:
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
