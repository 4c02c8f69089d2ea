"""What a delegate answers when it is asked about a task, and headers from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from jupyter_bgdl.asks import Answer, Ask
from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.model import Event, EventKind, Request

ASKS = {
    EventKind.CHALLENGE: "task_did_receive_challenge",
    EventKind.DELAYED_REQUEST: "task_will_begin_delayed_request",
}
"""Methods of a delegate that answer, by the event for which they are called."""


def answer_of(event: Event, given: object) -> Answer | None:
    """What is told to the server; None: nothing, the task stays as it is. Raises InvalidRequest
    for what is no answer."""
    assert event.task is not None
    generation = event.task.generation
    is_challenge = event.kind is EventKind.CHALLENGE
    to: Ask = "challenge" if is_challenge else "delayed_request"
    if given is None:
        return None if is_challenge else Answer(to=to, generation=generation)
    if isinstance(given, str):
        return Answer(to=to, generation=generation, url=given)
    if isinstance(given, Mapping):
        return Answer(to=to, generation=generation, headers=dict(given))
    if isinstance(given, Request):
        if given.method != event.task.method:
            raise InvalidRequest(
                f"The task goes on with {event.task.method}, not with {given.method}."
            )
        return Answer(
            to=to, generation=generation, url=given.url, headers=given.headers, replaces=True
        )
    raise InvalidRequest(
        f"{ASKS[event.kind]} returns a URL, a dict of headers, a Request or None, "
        f"not {type(given).__name__}. To end the task, call task.cancel()."
    )


def variables(names: Iterable[str]) -> dict[str, str]:
    """These variables of the environment. Raises InvalidRequest for one that is not set."""
    missing = sorted(name for name in names if name not in os.environ)
    if missing:
        raise InvalidRequest(
            f"A header refers to {', '.join(missing)} by env:NAME, and this kernel's environment "
            "has no such variable."
        )
    return {name: os.environ[name] for name in names}


def known_variables(names: Iterable[str]) -> dict[str, str]:
    """Those of these variables that the environment has."""
    return {name: os.environ[name] for name in names if name in os.environ}
