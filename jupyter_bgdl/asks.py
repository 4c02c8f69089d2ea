"""What the server asks a session's delegate about a task, and what may be answered.

An ask is an event of the journal, so it outlives the kernel. It stands as long as the task waits
for what is asked; the answer is a call of its own, and the event is acknowledged after it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Ask = Literal["challenge", "delayed_request"]
"""Kinds of events that want an answer."""


class Challenge(Struct, frozen=True, kw_only=True):
    """Why a task waits for credentials, as ``URLAuthenticationChallenge``. Holds no secret."""

    host: str
    """``host[:port]`` of the address that was asked."""
    status_code: int | None = None
    """What the server answered: 401, or 403 to an address or a login that was good before. None:
    a header names a variable of the kernel's environment, and no kernel has given it."""
    previous_failure_count: int = 0
    """How many times it was asked before without a byte having come since."""
    received: int = 0
    """Bytes that are there, and are kept."""
    reason: str
    """For a person."""


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a task goes on. One that does not wait for that any more stays as it is."""

    to: Ask
    generation: int
    """Of the task, as it was when it was asked."""
    url: str | None = None
    """Ask there from now on; the file has to be the same one, by its validator."""
    headers: dict[str, str] | None = None
    """Write-only. Laid over those that it has, unless ``replaces``."""
    replaces: bool = False
    """``headers`` are all that there are."""

    def __repr__(self) -> str:
        return f"<Answer to {self.to}>"


class EnvironmentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Variables of a kernel's environment that headers refer to by ``env:NAME``. The server holds
    them in memory only."""

    values: dict[str, str]

    def __repr__(self) -> str:
        return f"<EnvironmentRequest of {len(self.values)}>"
