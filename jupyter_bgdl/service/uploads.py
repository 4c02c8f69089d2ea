"""What is different about a task that sends a file.

A resumable upload's address is in the ledger, so that it goes on after a restart of anything. One
that is not resumable and whose method is not idempotent is never begun twice unasked (fault U1):
if its engine is gone, nobody knows whether the server acted on it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from jupyter_bgdl.engine.protocol import (
    Attempt,
    Failed,
    Resumable,
    Upload,
    Uploaded,
    Withdraw,
)
from jupyter_bgdl.errors import Cancelled, InvalidRequest, SourceChanged, TransferError
from jupyter_bgdl.model import Phase, ResponseView
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.redaction import redacted
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.submission import Wanted
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.units import resumption_of, source_of, upload_of
from jupyter_bgdl.service.views import Row, spec_of

if TYPE_CHECKING:
    from jupyter_bgdl.service.scheduler import Scheduler

_LOST = (
    "The transfer was interrupted before the server's answer came. The server may have acted on "
    "this {method} already, so it is not repeated; retry() does."
)


class Uploads:
    """All methods but :meth:`content` are called inside a transaction."""

    def __init__(
        self, ledger: Ledger, sessions: Sessions, tasks: Tasks, scheduler: Scheduler
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._scheduler = scheduler

    # Submitting

    def is_done(self, row: Row, wanted: Wanted) -> bool:
        """Whether a completed upload is the one that is wanted now: the file is the same, and
        the server took it."""
        return source_of(row) == wanted.source and _is_success(row)

    def renew(self, row: Row, wanted: Wanted) -> Row:
        """The file was written anew before it was sent: send it as it is now. One that is being
        sent notices by itself."""
        if row["phase"] in (Phase.SUSPENDED, Phase.WAITING) and source_of(row) != wanted.source:
            row = self._tasks.update(self.withdraw(row), **_columns(wanted), received=0)
        return row

    def reopened(self, row: Row, wanted: Wanted, *, before: Row) -> Row:
        """A new generation: a failed one goes on if the file is the same."""
        goes_on = before["error_code"] not in (None, Cancelled.code, SourceChanged.code)
        if not goes_on or source_of(before) != wanted.source:
            row = self.withdraw(row)
        self._ledger.run("drop_content", task=row["id"])
        return self._tasks.update(row, **_columns(wanted))

    def born(self, row: Row, wanted: Wanted) -> Row:
        return self._tasks.update(row, **_columns(wanted))

    # What the engine says

    def resumable(self, row: Row, report: Resumable) -> None:
        self._tasks.update(row, resumption=msgspec.json.encode(report.resumption))

    def uploaded(self, row: Row, report: Uploaded) -> None:
        """D. A cancel or a pause that came too late for the file comes too late (fault E9)."""
        if row["phase"] == Phase.COMPLETED:
            return
        response = ResponseView(redacted(report.url), report.status_code, report.headers)
        if report.content:
            self._ledger.run("keep_content", task=row["id"], body=report.content)
        took_it = 200 <= report.status_code <= 299
        self._tasks.complete(
            row,
            response=msgspec.json.encode(response),
            received=row["total"] if took_it else row["received"],
            resumption=None,
        )

    def lost(self, row: Row, report: Failed) -> Failed:
        """The report, or that the answer is lost: an engine that died says nothing about what it
        had sent."""
        if report.code == "worker_died" and self._is_unrepeatable(row):
            return msgspec.structs.replace(report, code="response_lost", message=_lost(row))
        return report

    # At the start

    def recover(self) -> None:
        """Those that were being sent when the last server ended, and can't be sent again."""
        for row in self._ledger.all("interrupted_uploads"):
            if self._is_unrepeatable(row):
                self._tasks.complete(
                    row, code=TransferError.code, message=_lost(row), reason="answer was lost"
                )

    # Ending

    def withdraw(self, row: Row) -> Row:
        """Nobody goes on with it: the server is told, best effort, after the commit."""
        if resumption_of(row) is None:
            return row
        # A number that is past already: what is reported of it is of no account.
        unit = Withdraw(attempt=Attempt(row["id"], row["attempt"] + 1), upload=self.unit(row))
        row = self._tasks.update(row, attempt=row["attempt"] + 2, resumption=None)
        self._scheduler.engagements.submit(unit)
        return row

    def unit(self, row: Row) -> Upload:
        options = self._sessions.options(self._sessions.by_id(row["session"]))
        fill = partial(self._scheduler.environment.headers, row["session"])
        return upload_of(row, Attempt(row["id"], row["attempt"]), options, fill)

    # Reading

    def content(self, row: Row) -> bytes:
        """Of the response, at most 1 MiB. Raises :class:`InvalidRequest` if there is none."""
        if row["source"] is None or row["response"] is None:
            raise InvalidRequest("Only an upload that was answered has a response content.")
        kept = self._ledger.one("content", task=row["id"])
        return bytes(kept["body"]) if kept else b""

    def _is_unrepeatable(self, row: Row) -> bool:
        is_plain = row["source"] is not None and row["resumption"] is None
        return is_plain and spec_of(row).request.method != "PUT"


def _is_success(row: Row) -> bool:
    response = msgspec.json.decode(row["response"], type=ResponseView)
    return 200 <= response.status_code <= 299


def _columns(wanted: Wanted) -> dict[str, Any]:
    assert wanted.source is not None
    return {"source": msgspec.json.encode(wanted.source), "total": wanted.source.size}


def _lost(row: Row) -> str:
    return _LOST.format(method=spec_of(row).request.method)
