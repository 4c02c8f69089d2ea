"""What each word does: REST calls, and what is printed of their answers. Each returns the exit
code and raises what the server says."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.live import Live

from jupyter_bgdl.cleanup import Cleaned, CleanRequest, UsageReport
from jupyter_bgdl.cli.output import Output, overview
from jupyter_bgdl.errors import Cancelled, InvalidRequest
from jupyter_bgdl.kernel import display
from jupyter_bgdl.kernel.connection import Connection
from jupyter_bgdl.model import (
    IfExists,
    LogLine,
    LogPage,
    Request,
    SessionList,
    SessionView,
    SubmitReply,
    SubmitRequest,
    TaskPage,
    TaskSpec,
    TaskState,
    TaskView,
)

_PAGE = 1000
_LOOK = 0.5
"""Seconds between two looks of ``watch``."""
_SHOWN = 20
"""Tasks that ``watch`` shows."""


def _path(session: str) -> str:
    return f"bgdl/sessions/{quote(session, safe='')}"


def _tasks(to: Connection, session: str, query: str = "") -> Iterator[TaskView]:
    after: int | None = 0
    while after is not None:
        path = f"{_path(session)}/tasks?after={after}&limit={_PAGE}{query}"
        page = to.call("GET", path, answer=TaskPage)
        yield from page.tasks
        after = page.next


def _failed(view: TaskView) -> bool:
    return view.error is not None and view.error.code != Cancelled.code


def show(to: Connection, given: Namespace, output: Output) -> int:
    if given.session is not None:
        output.tasks(list(_tasks(to, given.session)))
    else:
        sessions = to.call("GET", "bgdl/sessions", answer=SessionList).sessions
        output.sessions(sessions, to.call("GET", "bgdl/usage", answer=UsageReport))
    return 0


def add(to: Connection, given: Namespace, output: Output) -> int:
    if given.checksum and len(given.url) > 1:
        raise InvalidRequest("--checksum is of a single file.")
    destination = str(Path(given.to).expanduser().absolute())
    # Several files go into a folder, and so does what the person wrote a slash after.
    if len(given.url) > 1 or given.to.endswith("/"):
        destination += "/"
    specs = [
        TaskSpec(
            request=Request(url),
            destination=destination,
            checksum=given.checksum,
            if_exists=IfExists(given.if_exists),
            resume=not given.paused,
            unattended=True,
        )
        for url in given.url
    ]
    path = f"{_path(given.session)}/tasks"
    reply = to.call("POST", path, SubmitRequest(specs), answer=SubmitReply)
    output.tasks([one.task for one in reply.tasks])
    return 0


def watch(to: Connection, given: Namespace, output: Output) -> int:
    show = _as_json(output) if output.is_json else _as_view(to, output)
    with show as tell:
        while True:
            sessions = _watched(to, given.session)
            tell(sessions)
            if not any(view.counts.running + view.counts.waiting for view in sessions):
                return int(any(view.counts.failed for view in sessions))
            time.sleep(_LOOK)


@contextmanager
def _as_json(output: Output) -> Iterator[Callable[[list[SessionView]], None]]:
    """A line whenever something changed."""
    before: list[dict[str, Any]] | None = None

    def tell(sessions: list[SessionView]) -> None:
        nonlocal before
        now = _progress(sessions)
        if now != before:
            output.json({"sessions": now})
        before = now

    yield tell


@contextmanager
def _as_view(to: Connection, output: Output) -> Iterator[Callable[[list[SessionView]], None]]:
    """A view that is redrawn; where there is no terminal, only the last one."""
    with Live(console=output.console, auto_refresh=False) as live:
        yield lambda sessions: live.update(overview(sessions, _running(to, sessions)), refresh=True)


def _watched(to: Connection, session: str | None) -> list[SessionView]:
    if session is not None:
        return [to.call("GET", _path(session), answer=SessionView)]
    return to.call("GET", "bgdl/sessions", answer=SessionList).sessions


def _progress(sessions: list[SessionView]) -> list[dict[str, Any]]:
    return [
        {
            "identifier": view.identifier,
            "received": view.received,
            "total": view.total if view.total_is_known else None,
            **{name: getattr(view.counts, name) for name in view.counts.__struct_fields__},
        }
        for view in sessions
    ]


def _running(to: Connection, sessions: list[SessionView]) -> list[TaskView]:
    found: list[TaskView] = []
    for view in sessions:
        if view.counts.running + view.counts.waiting:
            path = f"{_path(view.identifier)}/tasks?limit={_SHOWN}&completed=false"
            found += to.call("GET", path, answer=TaskPage).tasks
    return found[:_SHOWN]


def _each(action: str, query: str, applies: Callable[[TaskView], bool]) -> Any:
    def run(to: Connection, given: Namespace, output: Output) -> int:
        numbers = given.task or [
            view.task_identifier for view in _tasks(to, given.session, query) if applies(view)
        ]
        output.tasks(
            [
                to.call("POST", f"{_path(given.session)}/tasks/{n}/{action}", answer=TaskView)
                for n in numbers
            ]
        )
        return 0

    return run


pause = _each("suspend", "&completed=false", lambda view: view.state == TaskState.RUNNING)
resume = _each("resume", "&completed=false", lambda view: view.state == TaskState.SUSPENDED)
cancel = _each("cancel", "&completed=false", lambda view: True)
retry = _each("retry", "&completed=true", _failed)


def log(to: Connection, given: Namespace, output: Output) -> int:
    lines: list[LogLine] = []
    while True:
        path = f"{_path(given.session)}/log?after={lines[-1].number if lines else 0}"
        page = to.call("GET", path, answer=LogPage)
        if not page.lines:
            break
        lines += page.lines
    output.log(lines)
    return 0


def clean(to: Connection, given: Namespace, output: Output) -> int:
    cleaned = to.call("POST", "bgdl/clean", CleanRequest(given.session), answer=Cleaned)
    if output.is_json:
        output.json(cleaned)
    else:
        freed = display.number(cleaned.freed)
        output.line(f"Completed tasks that were forgotten: {cleaned.tasks}; freed: {freed}.")
    return 0


def purge(to: Connection, given: Namespace, output: Output) -> int:
    to.call("DELETE", _path(given.session))
    if output.is_json:
        output.json({"purged": given.session})
    else:
        output.line(f"{given.session} is forgotten. Finished files are where they were.")
    return 0


def diagnose(to: Connection, given: Namespace, output: Output) -> int:
    told = to.call("GET", "bgdl/diagnose", answer=dict[str, Any])
    if given.output is not None:
        Path(given.output).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        output.line(f"Written to {given.output}.")
    elif output.is_json:
        output.json(told)
    else:
        output.console.print_json(data=told)
    return 0
