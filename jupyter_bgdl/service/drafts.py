"""Rows of tasks that a transaction works on in memory: changed there, and written together.

A small file is reported in several reports that come at once. Written one by one, they would cost
more than the file. So a transaction that knows beforehand which tasks it is about takes their rows
in with one statement, and each row is written once, before any other statement is run: whoever
asks the ledger never sees less than what was changed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]
"""A row of the ledger, by column."""

_WRITES_TASKS = re.compile(r"^(?:UPDATE|INSERT INTO|DELETE FROM) (?:tasks|sessions)\b", re.M)


class Drafts:
    """Of one transaction at a time."""

    def __init__(self, queries: Mapping[str, str]) -> None:
        self._rows: dict[int, Row] = {}
        self._changed: dict[int, dict[str, Any]] = {}
        self._others = frozenset(
            name
            for name, text in queries.items()
            if _WRITES_TASKS.search(text) and "UPDATE sessions" not in text
        )
        """Queries after which a row may be another than it is here."""

    def take(self, rows: Iterable[Row]) -> None:
        """Rows as they are in the ledger."""
        self._rows.update((row["id"], row) for row in rows)

    def get(self, task: int) -> Row | None:
        return self._rows.get(task)

    def change(self, task: int, columns: dict[str, Any]) -> Row | None:
        """The row as it will be; None: it was not taken in."""
        row = self._rows.get(task)
        if row is None:
            return None
        row = self._rows[task] = {**row, **columns}
        self._changed.setdefault(task, {}).update(columns)
        return row

    def write(self, db: sqlite3.Connection) -> None:
        """Those with the same columns in one go."""
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for task, columns in changed.items():
            alike.setdefault(tuple(columns), []).append((*columns.values(), task))
        for names, values in alike.items():
            places = ", ".join(f"{name} = ?" for name in names)
            db.executemany(f"UPDATE tasks SET {places} WHERE id = ?", values)  # noqa: S608  # ours

    def outdate(self, query: str) -> None:
        """Another statement is about to be run."""
        if query in self._others:
            self._rows.clear()

    def forget(self) -> None:
        """The transaction is over, or what it changed is undone."""
        self._rows.clear()
        self._changed.clear()
