"""What is said when somebody asks why a task does not run."""

from __future__ import annotations

import time
from html import escape

from msgspec import Struct


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a task is where it is, at the moment that it was asked. Holds no secret.

    Shows itself as text and, in notebooks, as a table.
    """

    name: str
    state: str
    """``running``, ``suspended``, ``canceling`` or ``completed``."""
    phase: str
    waiting_for: str | None = None
    """One of :class:`~jupyter_bgdl.WaitingFor`, while it waits."""
    why: str
    """A sentence or two for a person."""
    since: float
    """Seconds since the epoch: how long it is so."""
    until: float | None = None
    """When that ends by itself at the latest; None: nobody knows, or it does not."""
    help: list[str] = []
    """What would change it."""

    def rows(self) -> list[tuple[str, str]]:
        """What it says, by label."""
        rows = [("why", self.why), ("since", _moment(self.since))]
        if self.until is not None:
            rows.append(("until", _moment(self.until)))
        return [*rows, *(("what helps", text) for text in self.help)]

    def __str__(self) -> str:
        waits = f", waits for {self.waiting_for}" if self.waiting_for else ""
        lines = [f"{label:>10}: {text}" for label, text in self.rows()]
        return "\n".join([f"{self.name}: {self.phase}{waits}", *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *_ = str(self).splitlines()
        rows = "".join(
            f"<tr><th>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in self.rows()
        )
        return f"<table><caption>{escape(head)}</caption>{rows}</table>"


def _moment(moment: float) -> str:
    """In the zone of whoever looks."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
