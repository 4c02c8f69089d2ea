"""Decisions without I/O: how much may run, what is tried again, and when."""

from __future__ import annotations

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """What the service may use; durations in seconds."""

    max_active_tasks: int = 8
    """Transfers that move at the same time, over all sessions."""
    disk_retry: float = 30.0
    """A task that found no space looks again this often."""
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
    engine_shutdown: float = 5.0
