"""Launch cells as a notebook writes them, and what has to be right about them."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from jupyter_bgdl.errors import InvalidRequest, LaunchError
from jupyter_bgdl.kernel import launching
from jupyter_bgdl.kernel.identity import identity
from jupyter_bgdl.launches import LaunchRequest, check_size
from jupyter_bgdl.model import IDENTIFIER, is_identifier

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.attachment import Attachment

MAGIC = "%%background_session"
USAGE = "%%background_session IDENTIFIER [--check]"
_TARGET = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


class LaunchMagic(Struct, frozen=True):
    """A cell that begins with the magic."""

    identifier: str
    body: str
    checks: bool
    """Whether it is to be run in a fresh kernel, too."""


def begins_with_magic(cell: str) -> bool:
    line = cell.lstrip().partition("\n")[0].rstrip()
    return line == MAGIC or line.startswith((MAGIC + " ", MAGIC + "\t"))


def parse(line: str, body: str) -> LaunchMagic:
    """What follows the magic's name, and the rest of the cell.

    Raises :class:`InvalidRequest` or :class:`LaunchError`, which say what to write.
    """
    words = line.split()
    checks = "--check" in words
    names = [word for word in words if word != "--check"]
    if len(names) != 1 or names[0].startswith("-"):
        raise InvalidRequest(f"Write {USAGE}, with one identifier without spaces.")
    if not is_identifier(names[0]):
        raise InvalidRequest(IDENTIFIER)
    if not body.strip():
        raise LaunchError(
            "This launch cell is empty. Below the magic belongs what makes the session "
            f"{names[0]!r} and its handlers."
        )
    check_size(body)
    return LaunchMagic(names[0], body, checks)


def magic_of(cell: str) -> LaunchMagic | None:
    """Of a whole cell; None: it has no such magic, or one with which something is wrong."""
    if not begins_with_magic(cell):
        return None
    line, _, body = cell.lstrip().partition("\n")
    try:
        return parse(line[len(MAGIC) :], body)
    except (InvalidRequest, LaunchError):
        return None


def request_of(*, source: str | None = None, target: str | None = None) -> LaunchRequest:
    """A launch cell of this kernel's notebook. Raises :class:`LaunchError` outside of a kernel."""
    kernel_id = identity().kernel_id
    if kernel_id is None:
        raise LaunchError(
            "A launch cell belongs to a notebook that a Jupyter server runs; there is none here."
        )
    return LaunchRequest(kernel_id=kernel_id, source=source, target=target)


def check_target(target: str) -> None:
    """Raises :class:`LaunchError` if ``module:function`` names nothing that can be called."""
    found = _TARGET.fullmatch(target) if isinstance(target, str) else None
    if found is None:
        raise LaunchError(f'launch= has to be "module:function", not {target!r}.')
    module, name = found.groups()
    if module == "__main__":
        raise LaunchError(
            "A fresh kernel has nothing of this notebook. Put the function into a module (a file "
            'beside the notebook will do), and pass launch="module:function".'
        )
    try:
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:
        raise LaunchError(
            f"launch={target!r}: the module {module!r} can't be imported here "
            f"({type(error).__name__}: {error}). Install it in this kernel's environment, or put "
            "it beside the notebook."
        ) from error
    if not callable(function):
        raise LaunchError(
            f"launch={target!r}: {module!r} has no function {name!r}. Name one that takes no "
            "arguments and makes the session and its handlers."
        )


def register_target(session: Attachment, target: str) -> None:
    """Unless it is just being run because it is registered."""
    if not launching.is_launching():
        session.register_launch(request_of(target=target))
