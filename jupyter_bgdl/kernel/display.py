"""How sessions and tasks show themselves: a live view where there is one, else readable text."""

from __future__ import annotations

import time
from html import escape
from typing import Any

from jupyter_bgdl.model import Phase, SessionView, TaskKind, TaskView

MIME_TYPE = "application/vnd.jupyter-bgdl.session+json"
"""Rendered live by the JupyterLab extension, from the server, without the kernel."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MOST_ROWS = 20
_BAR = 24

_ORDER = (Phase.RUNNING, Phase.FINISHING, Phase.CANCELING, Phase.WAITING, Phase.SUSPENDED)


def session_bundle(
    view: SessionView, tasks: list[TaskView], *, is_live: bool = True
) -> dict[str, Any]:
    """MIME bundle of a session; ``is_live``: a server has it, that a live view can ask."""
    now = time.time()
    shown = sorted(tasks, key=_rank)[:_MOST_ROWS]
    lines = [session_line(view, now), *(f"  {task_line(task, now)}" for task in shown)]
    rows = "".join(_row(task, now) for task in shown)
    live = {MIME_TYPE: {"version": 1, "session": view.identifier}} if is_live else {}
    return {
        **live,
        "text/plain": "\n".join(lines),
        "text/html": f"<p>{escape(lines[0])}</p><table>{rows}</table>",
    }


def task_bundle(view: TaskView, *, is_live: bool = True) -> dict[str, Any]:
    """MIME bundle of a single task; ``is_live`` as for a session."""
    now = time.time()
    shown = {"version": 1, "session": view.session, "task": view.task_identifier}
    return {
        **({MIME_TYPE: shown} if is_live else {}),
        "text/plain": task_line(view, now),
        "text/html": f"<table>{_row(view, now)}</table>",
    }


def session_line(view: SessionView, now: float) -> str:
    """A session in one line."""
    counts = view.counts
    everything = sum(
        (
            counts.suspended,
            counts.waiting,
            counts.running,
            counts.done,
            counts.failed,
            counts.cancelled,
        )
    )
    words = [f"{view.identifier}: {counts.done} of {everything} done"]
    if counts.failed:
        words.append(f"{counts.failed} failed")
    if everything:
        more = "" if view.total_is_known else "+"
        words.append(_amount(view.received, view.total or None, more))
    if view.rate:
        words.append(f"{number(view.rate)}/s")
    if view.undelivered:
        words.append(f"{view.undelivered} events wait")
    return ", ".join(words)


def task_line(view: TaskView, now: float) -> str:
    """A task in one line."""
    return f"{view.name}  {_bar(view)}{_amount(view.received, view.total)}  {condition(view, now)}"


def condition(view: TaskView, now: float) -> str:
    """A task's state in words, and that certificates are not checked (threat T25)."""
    words = _condition(view, now)
    return words if view.verify else f"{words} (certificates unchecked)"


def _condition(view: TaskView, now: float) -> str:
    if view.phase == Phase.COMPLETED:
        if view.error is not None:
            return view.reason or view.error.message
        if view.kind == TaskKind.UPLOAD:
            return f"sent, answered {view.response.status_code}" if view.response else "sent"
        return "done, verified" if view.verified else "done"
    if view.phase == Phase.WAITING:
        reason = view.reason.lower() or "waits"
        if view.until is not None and view.until > now:
            left = round(view.until - now)
            return f"{reason}, again in {left // 60}:{left % 60:02}"
        return reason
    if view.phase == Phase.RUNNING:
        arrow = "↑ " if view.kind == TaskKind.UPLOAD else ""
        return f"{arrow}{number(view.rate)}/s" if view.rate else f"{arrow}running"
    return {Phase.SUSPENDED: "paused", Phase.FINISHING: "checking"}.get(view.phase, "canceling")


def number(count: float) -> str:
    """Bytes in decimal units: one decimal under 100, none from 100 on; B and kB whole."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:.{1 if unit > 1 and count < 99.95 else 0}f} {_UNITS[unit]}"


def _amount(received: int, total: int | None, more: str = "") -> str:
    if total is None:
        return number(received)
    if received == total and not more:
        return number(total)
    whole = number(total)
    unit = whole.split()[1]
    scaled = received / 1000 ** _UNITS.index(unit)
    decimals = 1 if _UNITS.index(unit) > 1 and scaled < 99.95 else 0
    amount, unit = whole.split()
    return f"{scaled:.{decimals}f} of {amount}{more} {unit}"


def _bar(view: TaskView) -> str:
    if view.phase == Phase.COMPLETED or not view.total:
        return ""
    filled = min(_BAR, view.received * _BAR // view.total)
    return f"[{'=' * filled}{' ' * (_BAR - filled)}]  "


def _row(view: TaskView, now: float) -> str:
    cells = (view.name, _amount(view.received, view.total), condition(view, now))
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _rank(view: TaskView) -> tuple[int, int]:
    if view.phase in _ORDER:
        return _ORDER.index(view.phase), view.task_identifier
    return len(_ORDER) + (view.error is None), -view.task_identifier
