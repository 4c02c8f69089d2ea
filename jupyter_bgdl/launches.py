"""What is said about launch cells: code that makes a session exist again in a fresh kernel."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from jupyter_bgdl.errors import LaunchError

LONGEST = 64 * 1024
"""Bytes of UTF-8 that the source of a launch cell may have."""

_TARGET = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class LaunchRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The launch cell of a session: the ``source`` of a cell, or a ``target`` in a package."""

    kernel_id: str
    """As in the server's kernel manager; it tells the notebook and the kernel's name."""
    source: str | None = None
    """Without the magic's line."""
    target: Annotated[str, Meta(pattern=_TARGET, max_length=1024)] | None = None
    """``module:function``; called without arguments."""

    def __post_init__(self) -> None:
        if (self.source is None) == (self.target is None):
            raise ValueError("a launch cell has either a source or a target")
        check_size(self.source or "")


class LaunchCell(Struct, frozen=True, kw_only=True):
    """A launch cell as the ledger keeps it, and as it is shown to who may run code."""

    notebook: str
    """Path as the server's contents API writes it."""
    kernel_name: str
    source: str | None = None
    target: str | None = None
    registered_at: float

    @property
    def code(self) -> str:
        """What a kernel runs."""
        if self.source is not None:
            return self.source
        module, _, function = (self.target or "").partition(":")
        return f"__import__('importlib').import_module({module!r}).{function}()"


class LaunchView(Struct, frozen=True, kw_only=True):
    """A session's launch cell as anybody with read access may see it: without its code."""

    notebook: str
    target: str | None = None
    enabled: bool = True
    """False: a person switched launching off for this session."""
    running: bool = False
    """The server runs it now, or waits for what it has started."""
    fruitless: int = 0
    """Launches in a row after which no event had been delivered."""
    until: float | None = None
    """Not launched again before this moment, because the last launch was fruitless."""
    last_run: float | None = None
    """When the server began to run it last, in seconds since the epoch (UTC)."""
    notice: str | None = None
    """Why a person is to run it: events wait, and the server must not or cannot."""


class LaunchSwitch(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool


class LaunchCheck(Struct, frozen=True, kw_only=True):
    """What became of a launch cell that was run in a fresh kernel to see whether it can be."""

    status: Literal["ok", "error", "timeout"]
    output: str
    """What it printed, and its traceback."""


def check_size(source: str) -> None:
    """Raises :class:`LaunchError` for a source that is too long."""
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > LONGEST:
        raise LaunchError(
            f"This launch cell has {size:,} bytes; {LONGEST:,} is the most. Put its code into a "
            "module, and name the function that is to be called: "
            'background_session(…, launch="module:function").'
        )
