"""The file that is uploaded, and whether it is still what was submitted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import Source

_PIECE = 1 << 20
"""Bytes that are read at once: smaller ones cost time, larger ones gain none."""


class SourceFile:
    """Open for reading, never through a symbolic link that took its place.

    Raises Abort: ``source_changed`` if device, inode, size or modification time are not those of
    ``source``; ``upload_source`` or ``no_descriptors`` if it can't be read. A change that keeps
    the size and falls into one tick of the file system's clock goes unnoticed.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = Path(source.path).name
        self.size = source.size
        try:
            # A pipe that took its place must not block.
            self._fd = platform.open_nofollow(source.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise _unreadable(error) from error
        try:
            self.check()
        except Abort:
            self.close()
            raise

    def check(self) -> None:
        """Whether the name still stands for the same, unchanged file."""
        try:
            self._compare(os.fstat(self._fd))
            self._compare(os.lstat(self._source.path))
        except OSError as error:
            raise _unreadable(error) from error

    def pieces(self, start: int, end: int, portion: Callable[[int], int]) -> Iterator[bytes]:
        """The bytes ``[start, end)``, as many at once as ``portion`` allows. Each piece is of the
        file as it was submitted, and so were all when the iterator ends."""
        while start < end:
            try:
                piece = os.pread(self._fd, portion(min(_PIECE, end - start)), start)
                self._compare(os.fstat(self._fd))
            except OSError as error:
                raise _unreadable(error) from error
            if not piece:
                raise _changed()
            yield piece
            start += len(piece)
        self.check()

    def close(self) -> None:
        os.close(self._fd)

    def _compare(self, status: os.stat_result) -> None:
        source = self._source
        if not stat.S_ISREG(status.st_mode) or (
            (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            != (source.device, source.inode, source.size, source.modified)
        ):
            raise _changed()


def _changed() -> Abort:
    return Abort("source_changed", "The file changed after its upload was submitted.")


def _unreadable(error: OSError) -> Abort:
    if platform.is_crowded(error):
        return Abort("no_descriptors")
    return Abort("upload_source", f"The file can't be read: {error.strerror}.")
