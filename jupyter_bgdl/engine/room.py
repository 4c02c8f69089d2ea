"""Whether a disk has room for what is still to come."""

from __future__ import annotations

import os
from contextlib import suppress

_BLOCK = 512
"""Bytes of what ``st_blocks`` counts, whatever the file system's own blocks are."""


def is_short(folder: str, size: int | None, part: str | None = None) -> bool:
    """Whether a file of ``size`` bytes can't be completed in ``folder`` now.

    What ``part`` has of the disk already is counted. None for a size that nobody knows: then
    only a disk with nothing left is short. So is one without inodes for a part that has yet to
    be made. A quota does not show here.
    """
    try:
        room = _room_in(folder)
    except OSError:
        return False  # Whoever writes there finds out what is wrong with it.
    held = None
    if part is not None:
        with suppress(OSError):
            held = os.lstat(part).st_blocks * _BLOCK
    if held is None and room.f_files and not room.f_favail:
        return True
    needed = 1 if size is None else size - (held or 0)
    return room.f_bavail * room.f_frsize < needed


def free_in(folder: str) -> tuple[int, int]:
    """Identity of the file system on which the folder is, or will be, and its free bytes. Raises
    OSError."""
    room = _room_in(folder)
    return room.f_fsid, room.f_bavail * room.f_frsize


def _room_in(folder: str) -> os.statvfs_result:
    """Of the disk on which the folder is, or will be. Raises OSError."""
    while True:
        try:
            return os.statvfs(folder)
        except FileNotFoundError:
            above = os.path.dirname(folder)  # noqa: PTH120 - for each file
            if above == folder:
                raise
            folder = above
