"""Writes down what kernels have dealt with: all that arrives in one moment in one transaction.

A session of many small files is acknowledged event by event; a commit for each would cost more
than the files.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

from msgspec import Struct

from jupyter_bgdl.service.journal import Journal
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.views import Row


class _Acknowledged(Struct, frozen=True):
    session: Row
    sequence: int
    parked: str | None
    written: asyncio.Future[None]


class Acknowledgements:
    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        journal: Journal,
        release: Callable[[Row], None],
    ) -> None:
        """``release`` is called with each staged task whose events were all dealt with."""
        self._ledger = ledger
        self._sessions = sessions
        self._journal = journal
        self._release = release
        self._waiting: list[_Acknowledged] = []

    async def add(self, session: Row, sequence: int, parked: str | None) -> None:
        """Returns when it is committed; raises :class:`sqlite3.Error` if it can't be."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # Those that came in the same moment get in before it.
            loop.call_soon(self._write)
        one = _Acknowledged(session, sequence, parked, loop.create_future())
        self._waiting.append(one)
        await one.written

    def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        touched: set[int] = set()
        try:
            with self._ledger.transaction():
                for one in batch:
                    touched |= self._journal.acknowledge(
                        one.session["id"], one.sequence, one.parked
                    )
                    self._sessions.changed(one.session)
        except sqlite3.Error as error:
            for one in batch:
                if not one.written.done():
                    one.written.set_exception(error)
            return
        for task in touched:
            row = self._ledger.one("task", id=task)
            if row and row["keep"] and not self._ledger.one("has_events", task=task):
                self._release(row)
        for one in batch:
            if not one.written.done():
                one.written.set_result(None)
