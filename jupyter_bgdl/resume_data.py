"""What is said about resume data: with it a cancelled download goes on as another task."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from jupyter_bgdl.model import TaskView
from jupyter_bgdl.properties import TaskChange

Token = Annotated[str, Meta(min_length=1, max_length=255)]


class CancelReply(Struct, frozen=True):
    task: TaskView
    """Cancelled, or as it was if that came too late."""
    resume_data: Token | None
    """None: what was fetched is of no use, since nothing was, or no server told a version of it."""


class ResumeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A download task, born suspended, that goes on where a cancelled one was."""

    resume_data: Token
    destination: str | None = None
    """As in a TaskSpec; None: where the cancelled one was to go."""
    staging: str | None = None
    """As in a TaskSpec; for one that has no destination."""
    properties: TaskChange = TaskChange()
    """Those of the cancelled one stay, where these are left out."""
