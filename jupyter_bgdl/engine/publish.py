"""Gives a complete part its name: never over a file that somebody else put there.

    keep link ─▶ mode ─▶ name, exclusively ─▶ fsync the folder

Each step may be done twice. A target that has the part's inode is ours: an earlier attempt was
killed after naming it. From another file system, a copy beside the target gets the name and the
part stays until that is committed; a target that holds the part's very bytes is ours then.
Everything is done relative to open folders, so that a folder that is swapped for a symbolic link
meanwhile leads nowhere else.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from jupyter_bgdl.engine import platform
from jupyter_bgdl.engine.confines import Confines
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import disk_errors, is_part
from jupyter_bgdl.engine.protocol import Failed, Publish, Published
from jupyter_bgdl.model import IfExists

_MOST_NAMES = 10_000
"""How many "name (n)" are tried."""

_CHUNK = 1 << 20
"""Bytes that are compared, or copied, at a time."""


class _Folders:
    """Those that are open, each once."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, Confines | None], int] = {}

    def open(self, path: str, *, make: bool = False, confines: Confines | None = None) -> int:
        """A descriptor that is open until :meth:`close`. Raises OSError, and Abort if it is not
        within ``confines``."""
        found = self._opened.get((path, confines))
        if found is None:
            found = self._opened[path, confines] = _open(path, make, confines)
        return found

    def sync(self) -> None:
        for folder in self._opened.values():
            platform.sync_folder(folder)

    def close(self) -> None:
        for folder in self._opened.values():
            os.close(folder)


def _open(path: str, make: bool, confines: Confines | None) -> int:
    if confines is not None:
        return confines.open(path, make=make)
    if make:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    return platform.open_folder(path)


def publish(units: Sequence[Publish]) -> list[Published | Failed]:
    """Do it, or find it done, for each. Their folders are synced once for all."""
    reports: list[Published | Failed] = []
    with closing(_Folders()) as folders:
        for unit in units:
            try:
                with disk_errors():
                    reports.append(_publish(unit, folders))
            except Abort as abort:
                reports.append(_failed(unit, abort))
        try:
            with disk_errors():
                folders.sync()
        except Abort as abort:
            return [_failed(unit, abort) for unit in units]
    return reports


def _failed(unit: Publish, abort: Abort) -> Failed:
    return Failed(attempt=unit.attempt, code=abort.code, message=abort.message)


def _publish(unit: Publish, folders: _Folders) -> Published:
    """Give it its name; durable once the folders are synced. Raises Abort, OSError."""
    folder, target = os.path.split(unit.target)
    part_folder, part = os.path.split(unit.part.path)
    target_dir = folders.open(folder, make=True, confines=unit.confines)
    try:
        part_dir = folders.open(part_folder)
    except FileNotFoundError as error:
        raise Abort("part_lost") from error
    name = _already(unit, target, target_dir)
    copied = False
    if name is None:
        _prepare(unit, part, part_dir)
        try:
            name = _give_name(unit, part, target, part_dir, target_dir)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            name = _publish_copy(unit, part, target, part_dir, target_dir)
            copied = True
    else:
        _remove_other_name(unit, part, part_dir)
    return Published(unit.attempt, os.path.join(folder, name), copied=copied)  # noqa: PTH118


def numbered(name: str) -> Iterator[str]:
    """``name``, then "stem (1).suffix", "stem (2).suffix" …"""
    yield name
    path = Path(name)
    suffix = "".join(path.suffixes[-2:]) if path.suffixes[-2:-1] == [".tar"] else path.suffix
    stem = name[: len(name) - len(suffix)] if suffix else name
    for number in range(1, _MOST_NAMES):
        yield f"{stem} ({number}){suffix}"


def _already(unit: Publish, name: str, folder: int) -> str | None:
    """The name under which an earlier attempt published it."""
    for candidate in numbered(name) if unit.if_exists == IfExists.RENAME else [name]:
        try:
            status = os.stat(candidate, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if is_part(status, unit.part) and status.st_size == unit.size:
            return candidate
    return None


def _prepare(unit: Publish, name: str, folder: int) -> None:
    """Check that the part is the one that was verified, open it to its readers, keep a link."""
    try:
        fd = platform.open_nofollow(name, os.O_RDWR, dir_fd=folder)
    except OSError as error:
        raise Abort("part_lost") from error
    try:
        status = os.fstat(fd)
        if not is_part(status, unit.part) or status.st_size != unit.size:
            raise Abort("part_lost")
        # Its bytes were synced before the intent. The mode follows with the folder where that is
        # journaled (ext4, xfs); elsewhere a power cut may leave a file for its owner alone.
        os.fchmod(fd, platform.file_mode())
    finally:
        os.close(fd)
    if unit.keep is not None:
        _keep(unit, unit.keep, name, folder)


def _keep(unit: Publish, keep: str, name: str, folder: int) -> None:
    path = Path(keep)
    with _folder(path.parent, unit.confines) as keep_dir:
        try:
            status = os.stat(path.name, dir_fd=keep_dir, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if is_part(status, unit.part):
                return
            os.unlink(path.name, dir_fd=keep_dir)
        os.link(name, path.name, src_dir_fd=folder, dst_dir_fd=keep_dir, follow_symlinks=False)
        platform.sync_folder(keep_dir)


def _give_name(unit: Publish, part: str, name: str, part_dir: int, target_dir: int) -> str:
    if unit.if_exists in (IfExists.REPLACE, IfExists.UPDATE):
        # rename(2) does nothing for two links to one file; _already() has met that case.
        os.replace(part, name, src_dir_fd=part_dir, dst_dir_fd=target_dir)
        return name
    for candidate in numbered(name) if unit.if_exists == IfExists.RENAME else [name]:
        try:
            platform.rename_noreplace(part, candidate, source_dir=part_dir, target_dir=target_dir)
        except FileExistsError:
            continue
        return candidate
    raise Abort("destination_exists")


def _publish_copy(unit: Publish, part: str, name: str, part_dir: int, target_dir: int) -> str:
    """Copy the part beside the target and name the copy, unless that was done before."""
    source = platform.open_nofollow(part, os.O_RDONLY, dir_fd=part_dir)
    try:
        for candidate in numbered(name) if unit.if_exists == IfExists.RENAME else [name]:
            held = _holds(candidate, target_dir, source, unit.size)
            if held:
                platform.sync_folder(target_dir)
                return candidate
            if held is None:
                break
        # A copy that an earlier attempt did not finish has the same name: it is made anew.
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=target_dir)
        try:
            _copy(source, part, target_dir, unit.size)
            name = _give_name(unit, part, name, target_dir, target_dir)
        except BaseException:
            with suppress(OSError):
                os.unlink(part, dir_fd=target_dir)
            raise
        platform.sync_folder(target_dir)
        return name
    finally:
        os.close(source)


def _copy(source: int, name: str, folder: int, size: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    copy = platform.open_nofollow(name, flags, dir_fd=folder)
    try:
        done = 0
        while done < size:
            data = memoryview(os.pread(source, _CHUNK, done))
            if not data:
                raise Abort("part_lost")
            while data:
                written = os.write(copy, data)
                done, data = done + written, data[written:]
        os.fchmod(copy, platform.file_mode())
        os.fsync(copy)
    finally:
        os.close(copy)


def _holds(name: str, folder: int, source: int, size: int) -> bool | None:
    """Whether the file holds the very bytes of ``source``; None: there is none."""
    try:
        fd = platform.open_nofollow(name, os.O_RDONLY | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        return False
    try:
        status = os.fstat(fd)
        return (stat.S_ISREG(status.st_mode) and status.st_size == size) and all(
            os.pread(fd, _CHUNK, at) == os.pread(source, _CHUNK, at)
            for at in range(0, size, _CHUNK)
        )
    finally:
        os.close(fd)


def _remove_other_name(unit: Publish, name: str, folder: int) -> None:
    """Finish a link + unlink that was killed in between."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if is_part(status, unit.part):
        os.unlink(name, dir_fd=folder)


@contextmanager
def _folder(path: Path, confines: Confines | None) -> Iterator[int]:
    fd = _open(str(path), True, confines)
    try:
        yield fd
    finally:
        os.close(fd)
