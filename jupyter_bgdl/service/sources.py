"""What the disk says about a file that is to be uploaded. Blocks: call it in a thread."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.protocol import Source
from jupyter_bgdl.errors import InvalidRequest


def look(path: str) -> Source:
    """The file as it is now, symbolic links resolved; from here on it must not change.

    Raises :class:`InvalidRequest` if it is missing, no regular file, or can't be read.
    """
    try:
        # A pipe must not block.
        real = str(Path(path).resolve(strict=True))
        descriptor = platform.open_nofollow(real, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as e:
        raise InvalidRequest(f"from_file: there is no file at {path}.") from e
    except (OSError, RuntimeError) as e:  # RuntimeError: links that lead in circles
        why = os.strerror(e.errno) if isinstance(e, OSError) and e.errno else str(e)
        raise InvalidRequest(f"from_file: {path} can't be read: {why}.") from e
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise InvalidRequest(f"from_file: {path} is a folder; pack it into one file first.")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequest(f"from_file: {path} is no regular file.")
    return Source(
        path=real,
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        modified=status.st_mtime_ns,
    )
