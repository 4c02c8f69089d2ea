"""A session's log: what callbacks printed, and what the server did and why."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

from jupyter_bgdl.model import LogLine
from jupyter_bgdl.service.ledger import Ledger

_PAUSE = 600.0
"""Seconds after which the same decision is a line of its own."""
_MOST_ALIKE = 1000
"""Decisions that are remembered in order to be counted."""


class _Alike(NamedTuple):
    """A line that stands for several decisions."""

    number: int
    name: str
    more: int
    last: float


class SessionLog:
    """The newest ``cap`` lines of each session. Called inside a transaction."""

    def __init__(self, ledger: Ledger, cap: int) -> None:
        self._ledger = ledger
        self._cap = cap
        self._alike: dict[tuple[int, str], _Alike] = {}

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

    def decided(self, session: int, name: str, text: str) -> None:
        """What the scheduler decided about a task. What is alike is one line that counts it, as
        long as no ``_PAUSE`` goes by without it: a network that is away for a night, or for
        100,000 tasks, is a few lines."""
        now, key = time.time(), (session, text)
        alike = self._alike.pop(key, None)
        if alike is not None and now - alike.last < _PAUSE:
            more = alike.more + 1
            words = f"{alike.name}: {text} (and {more:,} more like this)"
            changed = self._ledger.run(
                "change_line", session=session, number=alike.number, time=now, text=words
            )
            if changed.rowcount:
                self._alike[key] = _Alike(alike.number, alike.name, more, now)
                return
        line = self.add(session, f"{name}: {text}", "server")
        self._alike[key] = _Alike(line.number, name, 0, now)
        if len(self._alike) > _MOST_ALIKE:
            self._alike.pop(next(iter(self._alike)))

    def page(self, session: int, after: int, limit: int) -> list[LogLine]:
        rows = self._ledger.all("log_page", session=session, after=after, limit=limit)
        return [LogLine(**dict(row)) for row in rows]
