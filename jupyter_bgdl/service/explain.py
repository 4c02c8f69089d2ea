"""Why a task is where it is, since when, until when, and what would change it."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.model import Phase, TaskView, WaitingFor
from jupyter_bgdl.service.asks import answered_by
from jupyter_bgdl.service.engagements import Engagements
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.sessions import Sessions
from jupyter_bgdl.service.views import Row, owner_name, owner_of

Words = tuple[str, list[str]]
"""Why, and what helps."""

_SOONER = "task.retry() tries it now"


class Explainer:
    """Lives in the service thread; changes nothing."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        engagements: Engagements,
        settings: Settings,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._engagements = engagements
        self._settings = settings
        self._waits: dict[WaitingFor, Callable[[Row, TaskView], Words]] = {
            WaitingFor.TURN: self._turn,
            WaitingFor.EARLIEST_BEGIN_DATE: self._date,
            WaitingFor.NETWORK: self._again,
            WaitingFor.RETRY: self._again,
            WaitingFor.DISK_SPACE: self._disk,
            WaitingFor.CREDENTIALS: self._credentials,
            WaitingFor.CONDITIONS: self._conditions,
        }

    def explain(self, row: Row, view: TaskView) -> Explanation:
        """``view`` is that of the row."""
        if view.waiting_for is not None:
            why, helps = self._waits[view.waiting_for](row, view)
        else:
            why, helps = _plain(view)
        since = view.completed_at or row["since"] or view.created_at
        return Explanation(
            name=view.name,
            state=view.state,
            phase=view.phase,
            waiting_for=view.waiting_for,
            why=why,
            since=since,
            until=view.until,
            help=helps,
        )

    def _turn(self, row: Row, view: TaskView) -> Words:
        active = self._engagements.active()
        options = self._sessions.options(self._sessions.by_id(row["session"]))
        here = active[row["session"], row["host"]]
        if here >= options.maximum_connections_per_host:
            return (
                f"{here} transfers of this session from {view.host} run, which is the most.",
                ["maximum_connections_per_host of the session", "a higher priority"],
            )
        if active.total() >= self._settings.max_active_tasks:
            return (
                f"{active.total()} transfers run, which is the most that this server allows.",
                ["the trait BackgroundTransfers.max_active_tasks", "a higher priority"],
            )
        if self._engagements.has(row["id"]):
            return "Its last attempt is being ended; then it goes on.", []
        return "Nothing is in its way: it is about to begin.", []

    def _date(self, row: Row, view: TaskView) -> Words:
        if row["due"] is not None:
            return (
                "Its date has come, and the session's delegate is asked whether to begin "
                "(task_will_begin_delayed_request). If nobody answers it begins by itself.",
                [self._who(row), "task.suspend(), then task.resume(), begins without asking"],
            )
        return "It is not to begin before its earliest_begin_date.", [
            "task.earliest_begin_date = None"
        ]

    def _again(self, row: Row, view: TaskView) -> Words:
        what = "the network to come back" if view.waiting_for is WaitingFor.NETWORK else "a retry"
        tries = f", after {row['tries']} tries without a new byte" if row["tries"] > 1 else ""
        return f"It waits for {what}{tries}: {row['reason'].lower()}.", [_SOONER]

    def _disk(self, row: Row, view: TaskView) -> Words:
        missing = "" if view.total is None else f" for the {view.total - view.received:,} bytes"
        return (
            f"There is too little room{missing} in {row['folder']}. The room is looked at again "
            "and again.",
            ["free space there", _SOONER],
        )

    def _conditions(self, row: Row, view: TaskView) -> Words:
        if self._sessions.by_id(row["session"])["unattended"]:
            return (
                "It was made in a kernel that the server launched, so it runs under good "
                f"conditions only, until its notebook is opened. {view.reason}.",
                ["open the notebook, and attach the session"],
            )
        return f"Its session is discretionary. {view.reason}.", [
            "discretionary=False for the session",
            "the traits discretionary_load and discretionary_hours of BackgroundTransfers",
        ]

    def _credentials(self, row: Row, view: TaskView) -> Words:
        challenge = view.challenge
        why = challenge.reason if challenge is not None else "nobody has them"
        why = f"It needs credentials: {why}. Its {view.received:,} bytes are kept."
        again = "run the cell that made it again, with new headers (or key= and a fresh URL)"
        if challenge is not None and challenge.status_code is None:
            return why, ["attach the session in a kernel that has these variables"]
        session = self._sessions.by_id(row["session"])
        if "challenge" not in answered_by(session):
            return f"{why} No delegate with task_did_receive_challenge is there to be asked.", [
                "give the session a delegate that has it",
                again,
            ]
        if self._ledger.one("is_asked", task=row["id"]):
            return f"{why} The session's delegate is to be asked.", [self._who(row), again]
        return f"{why} The session's delegate was asked and did not answer.", [
            "register the delegate again, and it is asked again",
            again,
        ]

    def _who(self, row: Row) -> str:
        """Who would answer."""
        owner = owner_of(self._sessions.by_id(row["session"]))
        if owner is None:
            return "attach the session in a kernel, or let its launch cell be run"
        return f"an idle kernel: {owner_name(owner)} hears it between cells"


def _plain(view: TaskView) -> Words:
    """Of a task that waits for nothing."""
    match view.phase:
        case Phase.SUSPENDED:
            if view.attempts == 0:
                return "It was made suspended, and nobody has resumed it yet.", ["task.resume()"]
            return "It was paused. Its bytes are kept.", ["task.resume()"]
        case Phase.FINISHING:
            return "All bytes are there; they are checked, and get their name.", []
        case Phase.CANCELING:
            return "It was cancelled, and is being ended.", []
        case Phase.COMPLETED if view.error is None:
            return (f"It is done: {view.path}." if view.path else "It is done."), []
        case Phase.COMPLETED:
            assert view.error is not None
            return f"It ended: {view.error.message}", ["task.retry()"]
    total = "an unknown number of" if view.total is None else f"{view.total:,}"
    return f"It runs: {view.received:,} of {total} bytes are there.", []
