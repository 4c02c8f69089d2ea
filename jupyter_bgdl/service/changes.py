"""What a listener of the service is told: which views are out of date, never what they say.

A change carries names only, so that the reader can coalesce any number of them and ask for the
newest views once (:meth:`~jupyter_bgdl.service.service.Service.views`).
"""

from __future__ import annotations

from msgspec import Struct


class StateChanged(Struct, frozen=True):
    """The view of a session (``task`` is None) or of one of its tasks is newer."""

    user: str
    session: str
    task: int | None = None


class TasksAdded(Struct, frozen=True):
    """Many at once: the tasks with the numbers from ``first`` to ``last`` are new."""

    user: str
    session: str
    first: int
    last: int


class TaskEnded(Struct, frozen=True):
    """A generation of the task is over: done, failed or cancelled."""

    user: str
    session: str
    task: int


class SessionFinished(Struct, frozen=True):
    """With the end of a task nothing is left to be done in the session."""

    user: str
    session: str


class EventsAdded(Struct, frozen=True):
    """The journal has events that were not there, or not deliverable, before."""

    user: str
    session: str
    were_parked: bool = False
    """They are further back than what was sent last."""


class TaskRemoved(Struct, frozen=True):
    user: str
    session: str
    task: int


class SessionRemoved(Struct, frozen=True):
    """It became invalid, and its owner knows: there is none of that name."""

    user: str
    session: str


class OwnerChanged(Struct, frozen=True):
    """From now on ``epoch`` is in force; what carries an older one is refused."""

    user: str
    session: str
    epoch: int
    owner_name: str


Change = (
    StateChanged
    | TasksAdded
    | TaskEnded
    | SessionFinished
    | EventsAdded
    | TaskRemoved
    | SessionRemoved
    | OwnerChanged
)
