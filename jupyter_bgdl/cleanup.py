"""What transfers hold on the disk beyond finished files, and what was cleaned up of it."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True):
    """Of one session; sizes in bytes, as the disk counts them."""

    session: str
    parts: int = 0
    """Held by what is fetched and not finished."""
    staged: int = 0
    """Held by finished downloads without a destination that nobody has taken yet."""
    removable: int = 0
    """Completed tasks of which everything was told: a clean-up forgets them."""


class Disk(Struct, frozen=True, kw_only=True):
    """A file system that downloads go to; sizes in bytes."""

    folder: str
    """One of those on it that they go to."""
    free: int
    to_come: int
    """Of the unfinished downloads whose sizes are known."""


class UsageReport(Struct, frozen=True, kw_only=True):
    sessions: list[Usage]
    disks: list[Disk] = []
    """Of the unfinished downloads; the one that is, or will be, the shortest first."""
    kept: int = 0
    """Held by what was fetched of cancelled downloads, for resume data that nobody has used yet:
    it goes on in any session. A clean-up leaves it; it is deleted after 30 days."""
    total: int
    """Bytes of all of it."""


class CleanRequest(Struct, frozen=True, forbid_unknown_fields=True):
    session: str | None = None
    """None: all sessions."""


class Cleaned(Struct, frozen=True, kw_only=True):
    tasks: int
    """That were forgotten."""
    freed: int
    """Bytes of their parts."""
