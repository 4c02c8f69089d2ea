"""What a task's requests took: kept with its row, newest last, without secrets."""

from __future__ import annotations

import msgspec

from jupyter_bgdl.engine.protocol import Metrics
from jupyter_bgdl.model import TaskMetrics, TransactionMetrics
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.redaction import redacted
from jupyter_bgdl.service.views import Row

KEPT = 100
"""Transactions of a generation that are kept, the newest."""

_transactions = msgspec.json.Decoder(list[TransactionMetrics])
_encoder = msgspec.json.Encoder()


def collect(ledger: Ledger, row: Row, report: Metrics) -> None:
    """Add an attempt's transactions to those of its task's generation, inside a transaction.

    Nothing is told: whoever shows a task does not show these.
    """
    kept = [] if row["metrics"] is None else _transactions.decode(row["metrics"])
    kept += [
        msgspec.structs.replace(transaction, url=redacted(transaction.url))
        for transaction in report.transactions
    ]
    ledger.set("tasks", row["id"], metrics=_encoder.encode(kept[-KEPT:]))


def metrics_of(row: Row) -> TaskMetrics:
    transactions = [] if row["metrics"] is None else _transactions.decode(row["metrics"])
    return TaskMetrics(
        task_interval=(row["created_at"], row["completed_at"]),
        redirect_count=sum(transaction.is_redirect for transaction in transactions),
        attempts=row["attempts"],
        transactions=transactions,
    )
