"""What the engine has at the moment: who began, how far it is, who was let go. In memory only.

take_up ──commit──▶ live, in hand ──hand_over──▶ the engine
                      │  ▲ progress
                      └──┴─ let_go ──commit──▶ not live any more
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from jupyter_bgdl.engine.confines import Confines
from jupyter_bgdl.engine.protocol import Attempt, Engine, Fetch, Progress, Unit, Upload
from jupyter_bgdl.model import Phase, SessionOptions
from jupyter_bgdl.service.environment import Environment
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.pace import Pace, Place
from jupyter_bgdl.service.places import Places
from jupyter_bgdl.service.rates import Meter
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.units import fetch_of, mark_of, publish_of, upload_of
from jupyter_bgdl.service.views import Live, Row


class Engagements:
    """Lives in the service thread. What changes with the ledger does so after the commit."""

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        tasks: Tasks,
        live: dict[int, Live],
        free: Callable[[int], None],
        environment: Environment,
        places: Places,
    ) -> None:
        """``free`` is called, outside a transaction, with a task that waited for the engine to
        let go of it."""
        self._ledger = ledger
        self._engine = engine
        self._tasks = tasks
        self._live = live
        self._free = free
        self._environment = environment
        self._places = places
        self._pace = Pace()
        self._in_hand: list[Unit] = []
        """Committed, and to be submitted."""

    @property
    def moving(self) -> int:
        """Thread-safe: the list is made in one step."""
        return sum(live.fetching for live in list(self._live.values()))

    def active(self) -> Counter[Place]:
        """How many transfers each session and host has."""
        return Counter((live.session, live.host) for live in self._live.values() if live.fetching)

    def stock(self) -> dict[Place, int]:
        """How many more than move at a time each of them may have."""
        return self._pace.stock(time.monotonic())

    def sessions(self) -> set[int]:
        """Those that have transfers."""
        return {live.session for live in self._live.values() if live.fetching}

    def tasks(self, session: int) -> list[int]:
        """Those of a session that transfer."""
        return [
            task for task, live in self._live.items() if live.session == session and live.fetching
        ]

    def has(self, task: int) -> bool:
        return task in self._live

    def received(self, row: Row) -> int:
        """Bytes that are there of a task."""
        live = self._live.get(row["id"])
        received: int = row["received"]
        return max(received, live.received) if live else received

    def progress(self, report: Progress) -> None:
        live = self._live.get(report.attempt.task)
        if live is None or live.attempt != report.attempt:
            return
        live.meter.add(report.received)
        live.received = max(live.received, report.received)
        self._tasks.moved(live.session, live.number)

    # Inside a transaction

    def publish(self, row: Row) -> None:
        """For a task in phase finishing."""
        attempt = self._engage(row, fetching=False)
        self.submit(publish_of(row, attempt, self._confines(row)))

    def transfer(self, row: Row, options: SessionOptions) -> None:
        """For a task in phase running."""
        attempt = self._engage(row, fetching=True)
        fill = partial(self._environment.headers, row["session"])
        unit: Fetch | Upload
        if row["source"] is not None:
            unit = upload_of(row, attempt, options, fill)
        else:
            mark = mark_of(row, self._ledger.mark)
            unit = fetch_of(row, attempt, options, fill, mark, self._confines(row))
        self.submit(unit)

    def _confines(self, row: Row) -> Confines | None:
        """As they are now: an administrator may have narrowed them since it was asked for."""
        return self._places.confines(confined=bool(row["confined"]))

    def submit(self, unit: Unit) -> None:
        """With all others of the moment."""
        self._ledger.on_commit(lambda: self._in_hand.append(unit))

    def stop(self, row: Row) -> bool:
        """Have the engine let go of it; False: the engine does not have it."""
        live = self._live.get(row["id"])
        if live is None:
            return False
        self._ledger.on_commit(lambda: self._engine.stop([live.attempt]))
        return True

    def let_go(self, attempt: Attempt, row: Row | None) -> None:
        """The engine has ended this attempt; ``row`` as it was when it said so."""
        waited = row is not None and row["phase"] == Phase.WAITING and row["due"] is None

        def forget() -> None:
            live = self._live.get(attempt.task)
            if live and live.attempt == attempt:
                del self._live[attempt.task]
                if live.fetching:
                    self._pace.ended((live.session, live.host), time.monotonic())
                if waited:
                    self._free(attempt.task)

        self._ledger.on_commit(forget)

    def _engage(self, row: Row, *, fetching: bool) -> Attempt:
        attempt = Attempt(row["id"], row["attempt"])
        received = self.received(row)
        live = Live(
            attempt=attempt,
            session=row["session"],
            host=row["host"],
            number=row["number"],
            received=received,
            meter=Meter(received),
            fetching=fetching,
        )
        self._ledger.on_commit(lambda: self._live.__setitem__(row["id"], live))
        return attempt

    # After the commit

    def hand_over(self) -> None:
        """Give the engine what is in hand."""
        if self._in_hand:
            units, self._in_hand = self._in_hand, []
            self._engine.submit(units)
