"""How an attempt can end badly, and what each ending asks for: one table.

``Failed.code`` is a key of :data:`OUTCOMES`. The engine only names what happened; who retries,
waits or gives up reads the verdict here. The statuses follow RFC 9110 section 15 and RFC 6585.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http.client import responses


class Verdict(StrEnum):
    """What an ending asks for."""

    RETRY = "retry"
    """Try again after a pause; bytes that are there are kept."""
    DISK_SPACE = "disk_space"
    """Go on when the disk has room again."""
    CREDENTIALS = "credentials"
    """Go on when somebody brought new credentials."""
    REFETCH = "refetch"
    """Fetch everything again, once; then it is final."""
    STOPPED = "stopped"
    """It was asked for."""
    FINAL = "final"
    """Trying again would end the same way."""


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    code: str
    verdict: Verdict
    reason: str
    """At most five words for a person."""
    error: str
    """Code of the class in ``errors`` that it becomes when it is final."""
    tries: int | None = None
    """How many times in a row it may happen before it is final; None: until the deadline."""

    @property
    def transient(self) -> bool:
        """It may go away by itself."""
        return self.verdict in (Verdict.RETRY, Verdict.DISK_SPACE)


_ROWS = [
    # The network
    Outcome("connection", Verdict.RETRY, "connection lost", "transfer_error"),
    Outcome("refused", Verdict.RETRY, "connection refused", "transfer_error"),
    Outcome("unreachable", Verdict.RETRY, "network unreachable", "transfer_error"),
    Outcome("name_not_resolved", Verdict.RETRY, "host name not found", "transfer_error", tries=3),
    Outcome("stalled", Verdict.RETRY, "no data arrives", "transfer_error"),
    Outcome("truncated", Verdict.RETRY, "connection closed early", "transfer_error"),
    Outcome(
        "address_not_allowed", Verdict.FINAL, "address not allowed here", "address_not_allowed"
    ),
    Outcome("tls", Verdict.FINAL, "certificate not trusted", "transfer_error"),
    Outcome("proxy", Verdict.RETRY, "proxy does not answer", "transfer_error", tries=5),
    Outcome("proxy_authentication", Verdict.FINAL, "proxy wants a login", "transfer_error"),
    # The server
    Outcome("http_status", Verdict.FINAL, "server refused", "http_status"),
    Outcome("response_lost", Verdict.FINAL, "answer was lost", "transfer_error"),
    Outcome("protocol", Verdict.RETRY, "server answers nonsense", "transfer_error", tries=3),
    Outcome("source_changed", Verdict.FINAL, "file keeps changing", "source_changed"),
    Outcome("unexpected_content", Verdict.FINAL, "web page, not a file", "unexpected_content"),
    Outcome("checksum_mismatch", Verdict.REFETCH, "checksum doesn't match", "checksum_mismatch"),
    Outcome("size_mismatch", Verdict.REFETCH, "size doesn't match", "checksum_mismatch"),
    # Redirects
    Outcome("invalid_url", Verdict.FINAL, "address not valid", "transfer_error"),
    Outcome("redirect_loop", Verdict.FINAL, "redirected in circles", "transfer_error"),
    Outcome("redirect_downgrade", Verdict.FINAL, "redirected to plain http", "transfer_error"),
    Outcome("redirect_scheme", Verdict.FINAL, "redirected off the web", "transfer_error"),
    # The file to upload
    Outcome("upload_source", Verdict.FINAL, "file can't be read", "transfer_error"),
    # The disk
    Outcome("disk_space", Verdict.DISK_SPACE, "disk full", "transfer_error"),
    Outcome("disk_error", Verdict.RETRY, "disk error", "transfer_error", tries=3),
    Outcome("part_lost", Verdict.RETRY, "partial file is gone", "transfer_error", tries=3),
    Outcome("destination_exists", Verdict.FINAL, "file already exists", "destination_exists"),
    Outcome(
        "destination_not_allowed",
        Verdict.FINAL,
        "folder not writable",
        "destination_not_allowed",
    ),
    # Ourselves
    Outcome("no_descriptors", Verdict.RETRY, "too many open files", "transfer_error"),
    Outcome("worker_died", Verdict.RETRY, "transfer process ended", "transfer_error"),
    Outcome("stopped", Verdict.STOPPED, "stopped", "cancelled"),
    Outcome("internal", Verdict.FINAL, "internal error", "transfer_error"),
]

OUTCOMES: dict[str, Outcome] = {row.code: row for row in _ROWS}

_BUSY = Outcome("http_status", Verdict.RETRY, "server busy", "http_status", tries=5)
_SERVER_ERROR = Outcome("http_status", Verdict.RETRY, "server error", "http_status", tries=5)
_CREDENTIALS = Outcome("http_status", Verdict.CREDENTIALS, "login needed", "http_status")
_NOT_FOUND = Outcome("http_status", Verdict.FINAL, "not found", "http_status")
_FORBIDDEN = Outcome("http_status", Verdict.FINAL, "access denied", "http_status")


def is_retryable(status: int) -> bool:
    """Whether an idempotent request may be repeated after this status: 408, 425, 429, 5xx."""
    return status in (408, 425, 429) or 500 <= status <= 599


def status_words(status: int) -> str:
    """``404 Not Found``: as RFC 9110 has it, since a server's own words may say anything."""
    return f"{status} {responses.get(status, '')}".strip()


def outcome_of(code: str, status: int | None = None) -> Outcome:
    """The row for a failure; ``status`` refines ``http_status``. Unknown codes are internal."""
    if code == "http_status" and status is not None:
        if status in (425, 429, 503):
            return _BUSY
        if is_retryable(status):
            return _SERVER_ERROR
        if status == 401:
            return _CREDENTIALS
        if status == 403:
            return _FORBIDDEN
        if status in (404, 410):
            return _NOT_FOUND
    return OUTCOMES.get(code, OUTCOMES["internal"])


class Abort(Exception):
    """Ends an attempt inside the engine; becomes a ``Failed`` report."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status_code: int | None = None,
        retry_after: float | None = None,
        needed: int | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after
        self.needed = needed
