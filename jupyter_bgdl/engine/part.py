"""The file that holds the bytes until they are published, and what of it is durable.

    0 ━━━━━━━━━━━┅┅┅┅┅┅╍╍╍╍╍╍╍╍╍╍╍━━━━━━━━━━┅┅┅┅╍╍╍╍╍╍╍╍╍╍╍╍╍▶ total
      durable    written  missing  durable  written  missing

Several connections may fill it, each in another place, so what is there is a set of ranges. A
part is made exclusively, readable by its owner only, and never truncated: a restart from zero
makes another one. Nothing is allocated ahead: its size says nothing about being complete.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.confines import Confines
from jupyter_bgdl.engine.extents import RangeSet
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import Extents, Part

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_SPLICE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
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


_NO_TIME = 0.0005
"""Seconds. Disks in memory, and such as don't wait for the platter."""
_sync_took: dict[int, float] = {}
"""Seconds of the last sync, by device."""


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """What the disk refuses, as an :class:`Abort`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            code = "disk_space"
        elif platform.is_crowded(error):
            code = "no_descriptors"
        else:
            code = "destination_not_allowed" if error.errno in _DENIED else "disk_error"
        raise Abort(code, error.strerror or "") from error


class PartFile:
    """An open part. Several threads write, one syncs, any may read the counters."""

    def __init__(self, fd: int, path: str, extents: Extents) -> None:
        self.fd = fd
        self.path = path
        status = os.fstat(fd)
        self.device, self.inode = status.st_dev, status.st_ino
        self.extents: Extents = extents
        """What survived an fdatasync."""
        self._written = RangeSet(extents)
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._sync_failed = False

    @classmethod
    def create(
        cls, folder: str, names: Iterable[str], confines: Confines | None = None
    ) -> PartFile:
        """A new, empty part under the first of ``names`` that is free. Missing folders are made,
        within ``confines``. Raises Abort."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        if confines is not None:
            return cls._create_within(confines, folder, names)
        with disk_errors():
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - for each file
                try:
                    return cls(platform.open_nofollow(path, flags), path, [])
                except FileNotFoundError:
                    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                    return cls(platform.open_nofollow(path, flags), path, [])
                except FileExistsError:
                    continue
        raise Abort("destination_not_allowed", "there is no name for a part")

    @classmethod
    def _create_within(cls, confines: Confines, folder: str, names: Iterable[str]) -> PartFile:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        with disk_errors():
            folder_fd = confines.open(folder, make=True)
            try:
                for name in names:
                    with contextlib.suppress(FileExistsError):
                        fd = platform.open_nofollow(name, flags, dir_fd=folder_fd)
                        return cls(fd, os.path.join(folder, name), [])  # noqa: PTH118
            finally:
                os.close(folder_fd)
        raise Abort("destination_not_allowed", "there is no name for a part")

    @classmethod
    def reopen(cls, part: Part, extents: Extents) -> PartFile | None:
        """What an earlier attempt left, if it is still that very file and holds ``extents``.

        Devices are numbered anew when the machine starts, so the device may be another one: the
        name, which has the ledger's mark, the inode and the size are proof enough.
        """
        try:
            fd = platform.open_nofollow(part.path, os.O_RDWR)
        except OSError:
            return None
        status = os.fstat(fd)
        found = Part(part.path, status.st_dev, part.inode)
        if is_part(status, found) and status.st_size >= extents[-1][1]:
            return cls(fd, part.path, extents)
        os.close(fd)
        return None

    @property
    def part(self) -> Part:
        return Part(self.path, self.device, self.inode)

    @property
    def received(self) -> int:
        """How many bytes are written."""
        with self._lock:
            return self._written.size

    @property
    def frontier(self) -> int:
        """Bytes ``[0, frontier)`` are written."""
        with self._lock:
            return self._written.prefix

    @property
    def written(self) -> Extents:
        with self._lock:
            return self._written.extents

    def holes(self, total: int) -> Extents:
        """What is not written of ``total`` bytes."""
        with self._lock:
            return self._written.holes(total)

    def write(self, data: memoryview | bytes, at: int) -> None:
        """Write all of ``data`` at this offset. Raises Abort for what the disk refuses."""
        start = at
        try:
            at += os.pwrite(self.fd, data, at)
            while at - start < len(data):
                at += os.pwrite(self.fd, memoryview(data)[at - start :], at)
        except OSError:
            with disk_errors():
                raise
        finally:
            with self._lock:
                self._written.add(start, at)

    def splice(self, pipe: int, count: int, at: int) -> int | None:
        """Move up to ``count`` bytes from a pipe to this offset: how many, or None if the file
        system can't do that. Raises Abort for what the disk refuses."""
        try:
            moved = os.splice(pipe, self.fd, count, offset_dst=at)
        except OSError as error:
            if error.errno in _NO_SPLICE:
                return None
            with disk_errors():
                raise
        with self._lock:
            self._written.add(at, at + moved)
        return moved or None

    def read(self, at: int, size: int) -> bytes:
        """Bytes that are there."""
        with disk_errors():
            return os.pread(self.fd, size, at)

    def sync(self) -> bool:
        """Make what is written durable; True if that was more than before.

        After a failed sync the pages count as clean although they may be lost, so no later sync
        may vouch for them: ``extents`` stay what they were for good.
        """
        with self._syncing, disk_errors():
            if self._sync_failed:
                raise Abort("disk_error", "an earlier sync failed")
            written = self.written
            if written == self.extents:
                return False
            self._sync_failed = True
            begun = time.monotonic()
            platform.sync_data(self.fd)
            _sync_took[self.device] = time.monotonic() - begun
            self._sync_failed = False
            self.extents = written
            return True

    @property
    def syncs_at_once(self) -> bool:
        """Whether a small part was on its disk in no time when that was tried last."""
        return _sync_took.get(self.device, math.inf) < _NO_TIME

    def check(self) -> None:
        """Raises Abort ``part_lost`` if the path no longer names this file, whole."""
        try:
            status = os.lstat(self.path)
        except OSError as error:
            raise Abort("part_lost") from error
        with self._lock:
            end = self._written.end
        if not is_part(status, self.part) or status.st_size < end:
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
    """Remove a part that is of no use any more, unless its path names something else now. Its
    device may have another number by now, as in :meth:`PartFile.reopen`."""
    path = Path(part.path)
    with contextlib.suppress(OSError):
        status = path.lstat()
        if is_part(status, Part(part.path, status.st_dev, part.inode)):
            path.unlink()
