"""The messages of the websocket channel ``/bgdl/channel``: JSON objects tagged by ``type``.

A client says ``hello`` once, then ``watch`` and, if it owns a session, ``deliver``. The server
answers a ``watch`` with one ``snapshot``, then sends ``state`` at most five times a second (once,
if no tasks are watched): the newest view of what changed, never a history. Events come one by one,
in order, and the server sends a bounded number of them ahead of the acknowledgements.
"""

from __future__ import annotations

from msgspec import Struct

from jupyter_bgdl.asks import Ask
from jupyter_bgdl.model import Event, SessionView, TaskView


class Hello(Struct, frozen=True, tag_field="type", tag="hello"):
    incarnation: str | None = None
    """The kernel's; None for a browser. While the socket is open, that kernel is present."""


class Watch(Struct, frozen=True, tag_field="type", tag="watch"):
    session: str | None = None
    """None: all sessions."""
    tasks: bool = True
    """False: only the sessions' own views, with their counts and rates, and of their tasks those
    that have just ended, at most 20 a message."""


class Unwatch(Struct, frozen=True, tag_field="type", tag="unwatch"):
    """Ends the watch that was asked for in the same words."""

    session: str | None = None
    tasks: bool = True


class Deliver(Struct, frozen=True, tag_field="type", tag="deliver"):
    """The owner has somebody who takes events: send them, the backlog first."""

    session: str
    epoch: int
    parked: bool = False
    """Also those that were parked: their handler has been registered again."""
    answers: list[Ask] = []
    """What its delegate has methods for."""


class Acknowledge(Struct, frozen=True, tag_field="type", tag="acknowledge"):
    """The event ``sequence`` is dealt with. Not cumulative: a parked event that comes again has
    a smaller number than those that are on their way."""

    session: str
    epoch: int
    sequence: int
    parked: str | None = None
    """The traceback, if its callback raised."""


ClientMessage = Hello | Watch | Unwatch | Deliver | Acknowledge


class Snapshot(Struct, frozen=True, tag_field="type", tag="snapshot"):
    watch: str | None
    """The watch that this answers."""
    sessions: list[SessionView]
    tasks: list[TaskView] | None
    """Of each session: those not completed (at most 500), and the newest 50 completed. None: it was
    watched without them."""


class State(Struct, frozen=True, tag_field="type", tag="state"):
    sessions: list[SessionView]
    tasks: list[TaskView]


class Removed(Struct, frozen=True, tag_field="type", tag="removed"):
    session: str
    task_identifier: int | None
    """None: the session itself is gone, with all that was in it."""


class Delivery(Struct, frozen=True, tag_field="type", tag="event"):
    event: Event


class Fenced(Struct, frozen=True, tag_field="type", tag="fenced"):
    """Somebody else owns the session now; sent once, to the old owner."""

    session: str
    owner: str


class Refused(Struct, frozen=True, tag_field="type", tag="refused"):
    """A message could not be acted on."""

    code: str
    message: str


ServerMessage = Snapshot | State | Removed | Delivery | Fenced | Refused
