"""Which events a kernel has dealt with, written where the kill of both ends leaves it.

An acknowledgement is lost if kernel and server are killed while it is on its way, and its callback
would come again. So the kernel first writes the event's number, a line each, into a file that the
server named; the server reads it before it gives the session to somebody else. What was written
outlives the processes, not a power cut.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Receipts:
    """Of one owner of a session. Without a file that can be written there are none: then an
    acknowledgement that was lost costs a repetition."""

    def __init__(self, path: str | None) -> None:
        self._file: int | None = None
        if path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            with contextlib.suppress(OSError):
                self._file = os.open(path, flags, 0o600)

    def add(self, sequence: int) -> None:
        """The event's callbacks have returned."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.write(self._file, b"%d\n" % sequence)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(path: Path) -> list[int]:
    """The sequence numbers in it; nothing, if it can't be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    # What follows the last end of line was cut off by a kill.
    return [int(line) for line in lines[:-1] if line.isdigit()]
