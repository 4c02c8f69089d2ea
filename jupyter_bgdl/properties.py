"""What may be changed about a task after it was handed in, as the setters of ``URLSessionTask``."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

LONGEST_DESCRIPTION = 1024
"""Characters."""

DEFAULT_PRIORITY = 0.5
"""As ``URLSessionTask.defaultPriority``."""

Priority = Annotated[float, Meta(ge=0, le=1)]
"""A hint, 0 to 1: among the waiting tasks of a session the higher one goes first."""
Bytes = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Description = Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)]


class TaskChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New values of a task's properties; what is left out stays."""

    priority: Priority | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    earliest_begin_date: float | UnsetType | None = UNSET
    """Seconds since the epoch (UTC); null: any time."""
    count_of_bytes_client_expects_to_send: Bytes | UnsetType | None = UNSET
    count_of_bytes_client_expects_to_receive: Bytes | UnsetType | None = UNSET
