"""System calls that not every platform has, each with a portable fallback.

Linux is tested; macOS is best effort (its ``fsync`` does not reach the platter, ``F_FULLFSYNC``
does). What a file system, as opposed to the platform, cannot do is found out by trying.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable

RENAME_NOREPLACE = 1
"""``renameat2(2)``: fail with EEXIST instead of replacing."""

_DESCRIPTORS = 1 << 16

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
"""What ``link(2)`` says on a file system without hard links (FAT, some FUSE and SMB mounts)."""


def is_supported() -> bool:
    """Whether bytes can be moved safely: Windows has neither positional writes nor ways to stay
    in an open folder."""
    return hasattr(os, "pwrite") and os.open in os.supports_dir_fd


def sync_data(fd: int) -> None:
    """Bring a file's bytes, and the length needed to read them back, to stable storage."""
    full_sync = _full_sync()
    if full_sync is not None:
        full_sync(fd)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def _full_sync() -> Callable[[int], object] | None:
    if sys.platform != "darwin":
        return None
    import fcntl

    return lambda fd: fcntl.fcntl(fd, fcntl.F_FULLFSYNC)


def sync_folder(fd: int) -> None:
    """Bring a folder's entries to stable storage, where the file system has a way to."""
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network and FUSE file systems refuse fsync on a folder; they are synchronous there.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EACCES):
            raise


def open_nofollow(name: str, flags: int, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
    """``open`` that refuses a symbolic link as the last component with ELOOP."""
    nofollow: int = getattr(os, "O_NOFOLLOW", 0)
    if not nofollow and _is_link(name, dir_fd):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return os.open(name, flags | nofollow | os.O_CLOEXEC, mode, dir_fd=dir_fd)


def _is_link(name: str, dir_fd: int | None) -> bool:
    try:
        os.readlink(name, dir_fd=dir_fd)
    except OSError:
        return False
    return True


def open_folder(path: str) -> int:
    """A descriptor for ``dir_fd=``: what is done with it stays in that very folder."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def rename_noreplace(source: str, target: str, *, source_dir: int, target_dir: int) -> None:
    """Give a file its name, never over another. Raises FileExistsError.

    ``renameat2`` → ``link`` + ``unlink`` → exclusive placeholder + ``replace``. The first gives
    EINVAL on some file systems where the second works. The last shows an empty file for a
    moment, but nobody else's file is ever lost.
    """
    renameat2 = find_renameat2()
    if renameat2 is not None:
        code = renameat2(source_dir, source, target_dir, target)
        if code == 0:
            return
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(code, os.strerror(code), target)
    try:
        os.link(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        os.unlink(source, dir_fd=source_dir)
        return
    os.close(open_nofollow(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=target_dir))
    try:
        os.replace(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(target, dir_fd=target_dir)
        raise


def is_crowded(error: OSError) -> bool:
    """Whether it says that too many files are open, which others may close again."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def allow_descriptors() -> None:
    """As many open files as this process may have: a shell's limit is often 1,024, and a download
    over six connections takes up to thirty."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit of its own.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stand_back(niceness: int) -> None:
    """Let the other processes of the machine go first: at least that nice and, on Linux, never
    waking up in front of one that runs (``SCHED_BATCH``, sched(7)): data that arrives is no
    reason to interrupt the Jupyter server in the middle of an answer."""
    os.nice(max(0, niceness - os.nice(0)))
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


@functools.cache
def find_renameat2() -> Callable[[int, str, int, str], int] | None:
    """The system call (glibc ≥ 2.28), answering 0 or an errno; None where there is none."""
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = [
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    ]
    function.restype = ctypes.c_int

    def renameat2(source_dir: int, source: str, target_dir: int, target: str) -> int:
        done = function(
            source_dir, os.fsencode(source), target_dir, os.fsencode(target), RENAME_NOREPLACE
        )
        return 0 if done == 0 else ctypes.get_errno()

    return renameat2


def has_splice() -> bool:
    """Whether bytes can move from a socket to a file inside the kernel (Linux)."""
    return hasattr(os, "splice")


def widen_pipe(fd: int, size: int) -> None:
    """Let a pipe hold ``size`` bytes. Raises OSError if the user may not have one of that size."""
    import fcntl

    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)


@functools.cache
def file_mode() -> int:
    """Mode of an ordinary new file under this process's umask.

    The umask can only be read by setting it, so the worker calls this before it has threads.
    """
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
