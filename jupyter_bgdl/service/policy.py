"""Decisions without I/O: how much may run, what is tried again, and when."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from jupyter_bgdl.engine.outcomes import OUTCOMES, Verdict, is_retryable, outcome_of
from jupyter_bgdl.engine.protocol import Failed
from jupyter_bgdl.errors import ChecksumMismatch, HTTPStatusError, by_code
from jupyter_bgdl.model import WaitingFor
from jupyter_bgdl.service.conditions import POWER

STATUS_TRIES = 5
"""Retries after 408, 425, 429 and 5xx."""
NAME_TRIES = 3
"""Tries for a name that does not resolve, as long as no byte came."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2."""
_NETWORK = frozenset({"refused", "unreachable", "name_not_resolved"})
"""Nothing answers at all: this waits for the network, not for the server."""


_SIGNATURES = frozenset({"x-amz-signature", "x-goog-signature", "signature", "sig"})


class Settings(Struct, frozen=True, kw_only=True):
    """What the service may use; durations in seconds."""

    max_active_tasks: int = 8
    """Transfers that move at the same time, over all sessions."""
    disk_retry: float = 30.0
    """A task that found no space is tried again this often, unless there is still too little."""
    disk_poll: float = 2.0
    """How often the free space is looked at while a task waits for it."""
    network_retry: float = 10.0
    """Upper bound of the pause between tries while the network is away."""
    backoff_base: float = 1.0
    backoff_cap: float = 300.0
    retry_after_cap: float = 3600.0
    """A server that asks for a longer pause than this gets this."""
    max_log_lines: int = 10_000
    """Newest lines kept of each session's log."""
    lease_check: float = 2.0
    """How often owners are checked for being alive, and a locked ledger is tried again."""
    silence: float = 60.0
    """An owner that nobody can vouch for is gone when its socket was closed this long."""
    discretionary_load: float = 1.0
    """A discretionary session begins nothing while each core has more to do than this."""
    discretionary_hours: str | None = None
    """``HH:MM-HH:MM``, local time, in which discretionary sessions run; None: at any."""
    conditions_check: float = 30.0
    """How often conditions are looked at while a discretionary session has something to do."""
    power_supply: str = POWER
    """Folder that tells of batteries and mains."""
    max_sessions: int = 1_000
    """Of everybody who has sessions here."""
    max_tasks: int = 1_000_000
    max_tasks_per_session: int = 250_000
    """Those that are completed and not yet forgotten count as well."""
    max_events_per_session: int = 500_000
    """A session of which so many were not heard takes no tasks until some are."""
    max_bytes: int | None = None
    max_bytes_per_session: int | None = None
    """That unfinished and staged downloads hold or are to bring; None: as the disk allows."""
    contents_root: str | None = None
    """Folder in which those may write who are confined to it; None: nowhere."""
    allow_hidden: bool = False
    """Also to what is hidden there."""
    allowed_directories: tuple[str, ...] = ()
    """Folders that everybody is confined to; none: wherever the user may write."""
    keep_finished: float = 30 * 86400.0
    """Completed tasks, and what nobody claimed of them, are forgotten after this."""
    tidy: float = 3600.0
    """How often that is looked at."""
    clock_save: float = 30.0
    """How often the ledger's clock is saved while something is to be done."""


class History(Struct, frozen=True, kw_only=True):
    """What went wrong with a task before, as far as it matters now."""

    method: str
    received: int
    tries: int
    """Failures of any kind since the last new byte."""
    status_tries: int
    name_tries: int
    refetched: bool
    signed: bool = False
    """The address has a signature, which expires."""


class Again(Struct, frozen=True, kw_only=True):
    """Try again."""

    waiting_for: WaitingFor
    delay: float
    """Seconds; 0: at once, when its turn comes. Infinite: not by itself."""
    reason: str
    from_zero: bool = False
    """What was fetched is of no use."""
    tries: int
    status_tries: int
    name_tries: int
    refetched: bool


class Give(Struct, frozen=True):
    """Give up with this error."""

    code: str
    message: str
    reason: str


def backoff(tries: int, base: float, cap: float) -> float:
    """Seconds before the next try: doubled each time, with jitter between half and the whole."""
    whole = min(cap, base * 2.0 ** min(tries, 30))
    return whole * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, hides nothing


def judge(failed: Failed, history: History, settings: Settings) -> Again | Give:
    """What becomes of a task whose attempt failed without having been stopped."""
    if failed.code == "worker_died" or failed.code == "stopped":
        # Nothing is wrong with the task: its process ended under it. Does not count.
        return _again(history, WaitingFor.TURN, 0.0, "Waits its turn")
    outcome = outcome_of(failed.code, failed.status_code)
    if outcome.verdict is Verdict.DISK_SPACE:
        return _again(history, WaitingFor.DISK_SPACE, settings.disk_retry, "Disk is full")
    if outcome.verdict is Verdict.CREDENTIALS:
        return _again(history, WaitingFor.CREDENTIALS, float("inf"), "Needs credentials")
    if failed.code == "http_status" and failed.status_code == 403 and _was_let_in(history):
        return _again(history, WaitingFor.CREDENTIALS, float("inf"), "Access expired")
    if outcome.verdict is Verdict.REFETCH:
        if history.refetched:
            return Give(ChecksumMismatch.code, _message(failed), outcome.reason)
        return _again(history, WaitingFor.TURN, 0.0, outcome.reason, from_zero=True, refetched=True)
    if failed.code == "http_status" and is_retryable(failed.status_code or 0):
        return _status(failed, history, settings, outcome.reason)
    if outcome.verdict is not Verdict.RETRY or history.method not in _IDEMPOTENT:
        return Give(_error(outcome.error), _message(failed), outcome.reason)
    if failed.code == "name_not_resolved" and history.received == 0:
        if history.name_tries + 1 >= NAME_TRIES:
            return Give(_error(outcome.error), _message(failed), outcome.reason)
        delay = backoff(history.name_tries, settings.backoff_base, settings.network_retry)
        return _again(
            history,
            WaitingFor.NETWORK,
            delay,
            outcome.reason,
            tries=history.tries + 1,
            name_tries=history.name_tries + 1,
        )
    if failed.code in _NETWORK:
        delay = backoff(history.tries, settings.backoff_base, settings.network_retry)
        return _again(
            history, WaitingFor.NETWORK, delay, "Waits for the network", tries=history.tries + 1
        )
    if outcome.tries is not None and history.tries + 1 >= outcome.tries:
        return Give(_error(outcome.error), _message(failed), outcome.reason)
    if failed.code == "part_lost":
        return _again(
            history, WaitingFor.TURN, 0.0, outcome.reason, from_zero=True, tries=history.tries + 1
        )
    delay = backoff(history.tries, settings.backoff_base, settings.backoff_cap)
    return _again(history, WaitingFor.RETRY, delay, outcome.reason, tries=history.tries + 1)


def _was_let_in(history: History) -> bool:
    """A 403 (which the engine had resolved anew) is an expired login or signature, and no refusal,
    if bytes came before, or the address was made for its holder (fault R5)."""
    return history.received > 0 or history.signed


def is_signed(url: str) -> bool:
    """Whether the query has a signature, as those of S3, Google, CloudFront and Azure."""
    return any(name.lower() in _SIGNATURES for name, _ in parse_qsl(urlsplit(url).query))


def _status(failed: Failed, history: History, settings: Settings, reason: str) -> Again | Give:
    if history.status_tries >= STATUS_TRIES or history.method not in _IDEMPOTENT:
        return Give(HTTPStatusError.code, _message(failed), reason)
    delay = backoff(history.status_tries, settings.backoff_base, settings.backoff_cap)
    if failed.retry_after is not None:
        # Never earlier than asked for (RFC 9110, section 10.2.3), but no longer than our cap.
        delay = min(max(failed.retry_after, 0.0), settings.retry_after_cap)
    return _again(
        history,
        WaitingFor.RETRY,
        delay,
        reason,
        tries=history.tries + 1,
        status_tries=history.status_tries + 1,
    )


def _again(
    history: History,
    waiting_for: WaitingFor,
    delay: float,
    reason: str,
    *,
    from_zero: bool = False,
    tries: int | None = None,
    status_tries: int | None = None,
    name_tries: int | None = None,
    refetched: bool | None = None,
) -> Again:
    return Again(
        waiting_for=waiting_for,
        delay=delay,
        reason=reason,
        from_zero=from_zero,
        tries=history.tries if tries is None else tries,
        status_tries=history.status_tries if status_tries is None else status_tries,
        name_tries=history.name_tries if name_tries is None else name_tries,
        refetched=history.refetched if refetched is None else refetched,
    )


def _message(failed: Failed) -> str:
    if failed.message:
        return failed.message
    if failed.code == "http_status" and failed.status_code:
        return f"The server answered with status {failed.status_code}."
    outcome = OUTCOMES.get(failed.code, OUTCOMES["internal"])
    return f"{outcome.reason[:1].upper()}{outcome.reason[1:]}."


def _error(code: str) -> str:
    return code if code in by_code else "transfer_error"
