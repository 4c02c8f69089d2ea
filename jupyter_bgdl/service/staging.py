"""Downloads without a destination: where they lie, and how long.

    <staging>/<session>/<task>-<generation>/
        <safe name>     the location that a delegate is told; it may move it away
        .keep           a second hard link, so that a redelivered event finds its location again

Both go when the task's events were acknowledged. The functions block: call them in a thread.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from jupyter_bgdl.engine.part import discard
from jupyter_bgdl.engine.protocol import Part

KEEP = ".keep"


def folder(staging: str, session: str, task: int, generation: int) -> str:
    return str(Path(staging) / _component(session) / f"{task}-{generation}")


def _component(session: str) -> str:
    """A session's identifier as one safe component of a path."""
    name = quote(session, safe=" ")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > 200:  # File systems allow 255 bytes.
        name = name[:150] + hashlib.sha256(session.encode()).hexdigest()[:32]
    return name


def restore(staged: Iterable[tuple[str, str]]) -> None:
    """Make each ``(location, keep)``'s location again, if a callback that was not acknowledged
    had moved it away (fault E2)."""
    for location, keep in staged:
        with suppress(FileExistsError, FileNotFoundError):
            Path(location).parent.mkdir(parents=True, exist_ok=True)
            os.link(keep, location, follow_symlinks=False)


def clear(keep: str) -> None:
    """Delete every link of the file in its staging folder, the keep last, and the folders that
    are empty then. A link elsewhere is the user's."""
    home = Path(keep).parent
    with suppress(OSError):
        inode = Path(keep).lstat().st_ino
        for path in home.iterdir():
            if path.name != KEEP and path.lstat().st_ino == inode:
                path.unlink()
    forget(keep)


def forget(keep: str) -> None:
    """Delete the second link only."""
    with suppress(OSError):
        Path(keep).unlink()
    remove_empty(str(Path(keep).parent))


def remove_empty(path: str) -> None:
    """The folder of a staged task and that of its session, as far as nothing is in them."""
    with suppress(OSError):
        Path(path).rmdir()
        Path(path).parent.rmdir()


def drop(part: Part, staged_in: str | None) -> None:
    """Delete a part that nobody needs any more, unless its path names something else now."""
    discard(part)
    if staged_in:
        remove_empty(staged_in)
