"""What a command prints: tables and lines for a person, or JSON for a program."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from jupyter_bgdl.cleanup import UsageReport
from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.kernel import display
from jupyter_bgdl.model import ErrorView, Failure, LogLine, SessionView, TaskView


class Output:
    """``is_json``: one JSON document on stdout for each thing that is told, a line each."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.console = Console(highlight=False, soft_wrap=is_json)
        self._errors = Console(stderr=True, highlight=False)

    def json(self, document: Any) -> None:
        self.console.out(msgspec.json.encode(document).decode(), highlight=False)

    def line(self, text: str) -> None:
        self.console.print(escape(text))

    def error(self, error: BackgroundTransferError) -> None:
        if self.is_json:
            self.json(Failure(ErrorView(error.code, error.message)))
        else:
            self._errors.print(f"[red]jupyter bgdl:[/] {escape(error.message)}", soft_wrap=True)

    def sessions(self, sessions: list[SessionView], usage: UsageReport) -> None:
        if self.is_json:
            self.json({"sessions": sessions, "usage": usage})
            return
        held = {one.session: one.parts + one.staged for one in usage.sessions}
        table = _table("Session", "Done", "Active", "Failed", "Received", "Rate", "Held", "Owner")
        for view in sessions:
            counts = view.counts
            table.add_row(
                escape(view.identifier),
                str(counts.done),
                str(counts.running + counts.waiting + counts.suspended),
                str(counts.failed),
                display.number(view.received),
                f"{display.number(view.rate)}/s" if view.rate else "",
                display.number(held.get(view.identifier, 0)),
                escape(view.owner.name) if view.owner else "",
            )
        self.console.print(table if sessions else "There are no sessions.")
        if usage.kept:
            self.line(f"{display.number(usage.kept)} are kept for resume data, for 30 days.")

    def tasks(self, tasks: list[TaskView]) -> None:
        if self.is_json:
            self.json({"tasks": tasks})
        else:
            self.console.print(task_table(tasks) if tasks else "There are no tasks.")

    def log(self, lines: Iterable[LogLine]) -> None:
        if self.is_json:
            self.json({"lines": list(lines)})
            return
        for line in lines:
            moment = datetime.fromtimestamp(line.time).astimezone()
            self.line(f"{moment:%Y-%m-%d %H:%M:%S}  {line.text.rstrip()}")


def overview(sessions: list[SessionView], tasks: list[TaskView]) -> Group:
    """What ``watch`` shows."""
    now = time.time()
    lines = [escape(display.session_line(view, now)) for view in sessions]
    return Group(*lines, task_table(tasks)) if tasks else Group(*lines)


def task_table(tasks: list[TaskView]) -> Table:
    now = time.time()
    table = _table("", "Name", "Received", "Of", "")
    for view in tasks:
        table.add_row(
            str(view.task_identifier),
            escape(view.name),
            display.number(view.received),
            "" if view.total is None else display.number(view.total),
            escape(display.condition(view, now)),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table
