"""A session's log: what callbacks printed, and what the server did and why."""

from __future__ import annotations

import time
from typing import Literal

from jupyter_bgdl.model import LogLine
from jupyter_bgdl.service.ledger import Ledger


class SessionLog:
    """The newest ``cap`` lines of each session. Called inside a transaction."""

    def __init__(self, ledger: Ledger, cap: int) -> None:
        self._ledger = ledger
        self._cap = cap

    def add(self, session: int, text: str, source: Literal["callback", "server"]) -> LogLine:
        given = self._ledger.one("next_line", session=session)
        assert given
        line = LogLine(number=given["last_line"], time=time.time(), source=source, text=text)
        self._ledger.run(
            "add_line",
            session=session,
            number=line.number,
            time=line.time,
            source=line.source,
            text=line.text,
        )
        self._ledger.run("trim_log", session=session, number=line.number - self._cap)
        return line

    def page(self, session: int, after: int, limit: int) -> list[LogLine]:
        rows = self._ledger.all("log_page", session=session, after=after, limit=limit)
        return [LogLine(**dict(row)) for row in rows]
