"""Launch cells in the ledger, and when the server may run one.

    registered ─all done, events wait, no owner─▶ candidate ─due─▶ running ─▶ events delivered
        ▲                                            ▲                │
        │ registered again, a person attached        └── pause ◀──────┘ fruitless: none delivered
        └────────────────────────────────────────────────┘  (doubled each time)

A launch is counted as fruitless before it begins, so that one which takes the server down with it
is not repeated at once. Everything here runs in the service thread.
"""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct

from jupyter_bgdl.errors import LaunchError
from jupyter_bgdl.launches import LaunchCell, LaunchView
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.session_log import SessionLog
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.views import Row, cell_of, launch_view

_LONGEST_PAUSE = 86400.0


class Due(Struct, frozen=True):
    """A session whose launch cell is to be run."""

    user: str
    identifier: str
    cell: LaunchCell


class Agenda(Struct, frozen=True):
    """What there is to launch."""

    due: list[Due]
    later: bool
    """Whether there are sessions whose pause is not over."""


class Launches:
    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        log: SessionLog,
        running: set[int],
    ) -> None:
        """``running`` is shared with the views."""
        self._ledger = ledger
        self._sessions = sessions
        self._log = log
        self._running = running
        self._oldest: dict[int, int | None] = {}

    async def register(self, user: str, identifier: str, cell: LaunchCell) -> LaunchView:
        """The session is made if it is new. What went wrong with a former cell is forgotten."""
        with self._ledger.transaction():
            row = self._sessions.get_or_add(user, identifier)
            row = self._ledger.set(
                "sessions",
                row["id"],
                launch=msgspec.json.encode(cell),
                launches=1,
                fruitless=0,
                launch_due=0,
                launched_at=None,
                launch_notice=None,
            )
            self._sessions.changed(row)
        return self._view(row)

    async def cell(self, user: str, identifier: str) -> LaunchCell:
        """Raises :class:`LaunchError` if the session has none."""
        return self._cell(self._sessions.get(user, identifier))

    async def remove(self, user: str, identifier: str) -> None:
        self._set(self._sessions.get(user, identifier), launch=None, launch_notice=None)

    async def switch(self, user: str, identifier: str, enabled: bool) -> LaunchView:
        """Launch the session by itself, or not; turning it on forgets fruitless launches."""
        row = self._sessions.get(user, identifier)
        self._cell(row)
        changes = {"fruitless": 0, "launch_due": 0} if enabled else {"launch_notice": None}
        return self._view(self._set(row, launches=int(enabled), **changes))

    async def agenda(self) -> Agenda:
        clock, due, later = self._ledger.clock(), [], False
        for row in self._ledger.all("launch_candidates"):
            if row["id"] in self._running:
                continue
            if not self._sessions.options(row).sends_launch_events:
                continue
            if row["launch_due"] > clock:
                later = True
            else:
                due.append(Due(row["user"], row["identifier"], self._cell(row)))
        return Agenda(due, later)

    async def begin(self, user: str, identifier: str, pause: float) -> None:
        """It is being run now; if it proves fruitless, ``pause`` seconds, doubled with each such
        launch before, have to go by until the next."""
        row = self._sessions.get(user, identifier)
        self._running.add(row["id"])
        self._oldest[row["id"]] = self._next_event(row)
        self._set(
            row,
            fruitless=row["fruitless"] + 1,
            launch_due=self._ledger.clock() + _longer(pause, row["fruitless"]),
            launched_at=time.time(),
            launch_notice=None,
        )

    async def launched(self, user: str, identifier: str, is_launched: bool) -> None:
        """Whether the session lives in a kernel that the server started and nobody opened."""
        opened = {} if is_launched else {"unattended": 0}
        self._set(self._sessions.get(user, identifier), launched=int(is_launched), **opened)

    async def end(self, user: str, identifier: str, pause: float) -> bool:
        """The launch is over, and a pause begins if it was fruitless. Returns whether it
        delivered anything."""
        row = self._sessions.get(user, identifier)
        self._running.discard(row["id"])
        before = self._oldest.pop(row["id"], None)
        is_fruitful = before is None or before != self._next_event(row)
        if is_fruitful:
            self._set(row, launched=0, fruitless=0, launch_due=0)
        else:
            wait = _longer(pause, max(0, row["fruitless"] - 1))
            self._set(row, launched=0, launch_due=self._ledger.clock() + wait)
        return is_fruitful

    async def notify(self, user: str, identifier: str, notice: str) -> None:
        """A person is to run the cell, since the server must not or cannot."""
        row = self._sessions.get(user, identifier)
        if row["launch_notice"] != notice:
            with self._ledger.transaction():
                self._log.add(row["id"], notice, "server")
                self._sessions.changed(
                    self._ledger.set("sessions", row["id"], launch_notice=notice)
                )

    def attached(self, row: Row, is_owner: bool) -> Row:
        """Inside the transaction: a kernel attached. If the server did not start it for this, a
        person did, and what went wrong with launches is forgotten."""
        if not is_owner or row["launch"] is None:
            return row
        if row["id"] in self._running:
            return self._ledger.set("sessions", row["id"], launch_notice=None)
        return self._ledger.set(
            "sessions",
            row["id"],
            launch_notice=None,
            fruitless=0,
            launch_due=0,
            launched=0,
            unattended=0,
        )

    async def renamed(self, old: str, new: str) -> None:
        """A notebook, or a folder with notebooks, has another path now."""
        for row in self._ledger.all("with_launch"):
            cell = self._cell(row)
            if cell.notebook == old or cell.notebook.startswith(f"{old}/"):
                path = new + cell.notebook[len(old) :]
                changed = msgspec.structs.replace(cell, notebook=path)
                self._set(row, launch=msgspec.json.encode(changed), launch_due=0)

    def _set(self, row: Row, **columns: str | int | float | bytes | None) -> Row:
        with self._ledger.transaction():
            new = self._ledger.set("sessions", row["id"], **columns)
            self._sessions.changed(new)
        return new

    def _next_event(self, row: Row) -> int | None:
        found = self._ledger.one("oldest_undelivered", session=row["id"])
        assert found
        sequence: int | None = found["sequence"]
        return sequence

    def _cell(self, row: Row) -> LaunchCell:
        cell = cell_of(row)
        if cell is None:
            raise LaunchError(
                f"The session {row['identifier']!r} has no launch cell. Begin the cell that makes "
                f"it with %%background_session {row['identifier']}, and run it."
            )
        return cell

    def _view(self, row: Row) -> LaunchView:
        view = launch_view(row, self._running, self._ledger.clock(), time.time())
        assert view is not None
        return view


def _longer(pause: float, fruitless: int) -> float:
    """After that many fruitless launches before this one."""
    return min(pause * 2.0 ** min(fruitless, 30), _LONGEST_PAUSE)
