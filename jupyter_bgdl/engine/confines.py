"""Folders that a task may write in, and how it stays in them.

A path is inside a folder if that is so component by component, with all links resolved; that both
begin alike says nothing. What was resolved is opened from the folder down, following no links, so
that one that is put there meanwhile leads nowhere.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from os.path import realpath

from msgspec import Struct

from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.outcomes import Abort


class Confines(Struct, frozen=True):
    """What an administrator, or the contents manager, allows."""

    folders: tuple[str, ...]
    """Absolute paths; what is in none of them is outside."""
    allows_hidden: bool = True
    """Also below folders, and to files, whose names begin with a dot."""
    rule: str = ""
    """The setting to blame, for a person."""

    def refusal(self, path: str) -> str | None:
        """Why nothing may be written at this absolute path; None: it may. Blocks."""
        place = self._place(path)
        return self._words(path, place) if place is None or self._hides(place[1]) else None

    def refusal_of_name(self, name: str) -> str | None:
        """As :meth:`refusal`, of a file's name in a folder that is allowed."""
        return self._words(name, ()) if self._hides([name]) else None

    def open(self, path: str, *, make: bool = False) -> int:
        """A descriptor of this folder. ``make``: missing ones are made. Raises OSError, and Abort
        if it is outside."""
        place = self._place(path)
        if place is None or self._hides(place[1]):
            raise Abort("destination_not_allowed", self._words(path, place))
        folder, names = place
        fd = platform.open_folder(folder)
        for name in names:
            try:
                inner = _step(name, fd, make=make)
            finally:
                os.close(fd)
            fd = inner
        return fd

    def _hides(self, names: Sequence[str]) -> bool:
        return not self.allows_hidden and any(name.startswith(".") for name in names)

    def _words(self, path: str, place: object) -> str:
        if place is None:
            return f"{path} is outside of {self.rule}."
        return f"{path} is hidden, which ContentsManager.allow_hidden does not allow."

    def _place(self, path: str) -> tuple[str, Sequence[str]] | None:
        """Its folder, and the names that lead from there to the path. The innermost folder counts:
        one that is hidden itself may be allowed by its name."""
        names = _names(realpath(path))
        found: tuple[str, Sequence[str]] | None = None
        for folder in self.folders:
            resolved = realpath(folder)
            above = _names(resolved)
            is_inside = names[: len(above)] == above
            if is_inside and (found is None or len(names) - len(above) < len(found[1])):
                found = (resolved, names[len(above) :])
        return found


def common(some: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """The folders that are inside one of either. Blocks."""
    found = [one for one in some if Confines(tuple(others)).refusal(one) is None]
    found += [other for other in others if Confines(tuple(some)).refusal(other) is None]
    return tuple(dict.fromkeys(found))


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]


def _step(name: str, folder: int, *, make: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        return platform.open_nofollow(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return platform.open_nofollow(name, flags, dir_fd=folder)
