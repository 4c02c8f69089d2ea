"""The file that holds the bytes until they are published, and what of it is durable.

    0 ─────────── durable ────────── frontier ─────▶ total
      fdatasync'ed and checkpointed   written

One stream fills it from the start, so its extents are one range. A part is made exclusively,
readable by its owner only, and never truncated: a restart from zero makes another one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import Attempt, Extents, Part

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.EEXIST,
    errno.EXDEV,
    errno.ENOENT,
}


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """What the disk refuses, as an :class:`Abort`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            code = "disk_space"
        else:
            code = "destination_not_allowed" if error.errno in _DENIED else "disk_error"
        raise Abort(code, error.strerror or "") from error


class PartFile:
    """An open part. One thread writes, one syncs, any may read the counters."""

    def __init__(self, fd: int, path: Path, length: int) -> None:
        self.fd = fd
        self.path = path
        status = os.fstat(fd)
        self.device, self.inode = status.st_dev, status.st_ino
        self.frontier = length
        """Bytes ``[0, frontier)`` are written."""
        self.durable = length
        """Bytes ``[0, durable)`` survived an fdatasync."""
        self._syncing = threading.Lock()
        self._sync_failed = False

    @classmethod
    def create(cls, folder: str, attempt: Attempt) -> PartFile:
        """A new, empty part. Missing folders are made."""
        with disk_errors():
            Path(folder).mkdir(parents=True, exist_ok=True)
            name = f".bgdl-{attempt.task}-{attempt.number}-{secrets.token_hex(4)}.part"
            path = Path(folder) / name
            fd = platform.open_nofollow(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        return cls(fd, path, 0)

    @classmethod
    def reopen(cls, part: Part, length: int) -> PartFile | None:
        """What an earlier attempt left, if it is still that very file and holds ``length``."""
        try:
            fd = platform.open_nofollow(part.path, os.O_RDWR)
        except OSError:
            return None
        status = os.fstat(fd)
        if is_part(status, part) and status.st_size >= length:
            return cls(fd, Path(part.path), length)
        os.close(fd)
        return None

    @property
    def part(self) -> Part:
        return Part(str(self.path), self.device, self.inode)

    @property
    def extents(self) -> Extents:
        return [(0, self.durable)] if self.durable else []

    def write(self, data: memoryview | bytes) -> None:
        """Append at the frontier. Raises Abort for what the disk refuses."""
        try:
            written = os.pwrite(self.fd, data, self.frontier)
            self.frontier += written
            if written < len(data):
                self._write_rest(memoryview(data)[written:])
        except OSError:
            with disk_errors():
                raise

    def _write_rest(self, data: memoryview) -> None:
        while data:
            written = os.pwrite(self.fd, data, self.frontier)
            self.frontier += written
            data = data[written:]

    def sync(self) -> bool:
        """Make what is written durable; True if that was more than before.

        After a failed sync the pages count as clean although they may be lost, so no later sync
        may vouch for them: ``durable`` stays where it was for good.
        """
        with self._syncing, disk_errors():
            if self._sync_failed:
                raise Abort("disk_error", "an earlier sync failed")
            frontier = self.frontier
            if frontier <= self.durable:
                return False
            self._sync_failed = True
            platform.sync_data(self.fd)
            self._sync_failed = False
            self.durable = frontier
            return True

    def check(self) -> None:
        """Raises Abort ``part_lost`` if the path no longer names this file, whole."""
        try:
            status = self.path.lstat()
        except OSError as error:
            raise Abort("part_lost") from error
        if not is_part(status, self.part) or status.st_size < self.frontier:
            raise Abort("part_lost")

    def discard(self) -> None:
        """Close it and take its name away."""
        discard(self.part)
        self.close()

    def close(self) -> None:
        with self._syncing:
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1


def is_part(status: os.stat_result, part: Part) -> bool:
    """Whether this is the regular file that ``part`` describes."""
    return stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) == (
        part.device,
        part.inode,
    )


def discard(part: Part) -> None:
    """Remove a part that is of no use any more, unless its path names something else now."""
    path = Path(part.path)
    with contextlib.suppress(OSError):
        if is_part(path.lstat(), part):
            path.unlink()
