"""A kernel in which the server runs a launch cell: mirrors Apple's background relaunch.

    begin ─▶ the launch cell runs ─▶ the handler of background events ─▶ events …
             (matched tasks are only found)

``begin`` and ``state`` are called by the server. In an ordinary kernel, where a person runs the
cells, nothing of it happens and the handler is never called.
"""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.output import Place

H = TypeVar("H", bound=Callable[..., Any])

_handler: tuple[Callable[..., Any], Place] | None = None
_running: str | None = None
"""The session whose launch cell is running."""
_rehearses = False
_announced: dict[str, bool] = {}
"""Of each session that was launched here: whether the handler was called."""


class CompletionHandler:
    """Tells the server that the events of a launch were dealt with: call it once, without
    arguments, as a rule in ``session_did_finish_events``.

    A kernel that was started for the launch is shut down when it is idle. A second call warns.
    Apple: the completion handler of
    ``application(_:handleEventsForBackgroundURLSession:completionHandler:)``.
    """

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier
        self._called = False

    def __call__(self) -> None:
        if self._called:
            warnings.warn(
                f"The completion handler of {self._identifier!r} was called before; once is "
                "enough.",
                stacklevel=2,
            )
            return
        self._called = True
        from jupyter_bgdl.kernel.known_sessions import attached

        session = attached(self._identifier)
        if session is not None:
            session.tell_launch_completed()

    def __repr__(self) -> str:
        return f"<CompletionHandler of {self._identifier!r}>"


def handle_events_for_background_session(function: H) -> H:
    """Decorator: ``function(identifier, completion_handler)`` in a kernel where the server ran the
    launch cell, before the session's first event. Store the completion handler, and call it when
    all is done.

    The kernel may be one that was started for it, or the notebook's own after a restart. In an
    ordinary kernel the function is never called, so look whether a completion handler was stored.
    Apple: ``application(_:handleEventsForBackgroundURLSession:completionHandler:)``.
    """
    global _handler
    if not callable(function):
        raise TypeError(f"The handler of background events is a function, not {function!r}.")
    from jupyter_bgdl.kernel.output import Place

    _handler = (function, Place.here())
    return function


def is_launching() -> bool:
    """Whether the server runs a launch cell here now. What is printed meanwhile it hears itself."""
    return _running is not None


def is_rehearsing() -> bool:
    """Whether this kernel was started to check a launch cell: it changes nobody's ownership."""
    return _rehearses


def announce(identifier: str) -> None:
    """Call the background events' handler for a launched session, unless that was done."""
    if _announced.get(identifier, True) or _handler is None:
        return
    from jupyter_bgdl.kernel.known_sessions import attached
    from jupyter_bgdl.kernel.pump import get_pump

    session = attached(identifier)
    if session is None:
        return
    _announced[identifier] = True
    function, place = _handler

    def call() -> Awaitable[None] | None:
        result = function(identifier, CompletionHandler(identifier))
        return result if inspect.isawaitable(result) else None

    rest = session.protect(place, call)
    if rest is not None:
        get_pump().post(lambda: rest)


def begin(identifier: str, until: float, *, rehearses: bool = False) -> None:
    """The launch cell of that session is run next, if it is not later than ``until``."""
    global _running, _rehearses
    from jupyter_bgdl.kernel.pump import get_pump

    if time.time() > until:
        return
    if not _announced:
        get_pump().on_cell_end(_cell_ended)
    _running, _rehearses = identifier, rehearses
    _announced[identifier] = rehearses


def _cell_ended() -> None:
    global _running
    if _running is not None:
        announce(_running)
        _running = None


def state(identifier: str) -> Literal["working", "quiet", "deaf"]:
    """``deaf``: nobody takes events of that session here. ``quiet``: there is nothing to do."""
    from jupyter_bgdl.kernel.known_sessions import attached
    from jupyter_bgdl.kernel.pump import get_pump

    if get_pump().is_busy:
        return "working"
    session = attached(identifier)
    return "quiet" if session is not None and session.takes_events else "deaf"
