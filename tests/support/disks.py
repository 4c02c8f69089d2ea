"""Disks that a test may fill, cut off and take away: loop images and small file systems."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_EXT4_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2


def need(*programs: str) -> None:
    """Skip unless this is root, on Linux, with these programs."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for program in programs:
        if shutil.which(program, path=_PATH) is None:
            pytest.skip(f"needs {program}")


def run(*command: str | Path, check: bool = True) -> str:
    """Run a program of the system. Raises :class:`subprocess.CalledProcessError`."""
    done = subprocess.run(
        [str(word) for word in command],
        check=check,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": _PATH},
    )
    return done.stdout


def mount_or_skip(*arguments: str | Path) -> None:
    """``mount`` with these arguments; a machine that forbids it skips the test."""
    try:
        run("mount", *arguments)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cannot mount: {error.stderr.strip()}")


def unmount(folder: Path) -> None:
    """Take it away; what still closes its files gets a moment. Raises CalledProcessError."""
    for _ in range(200):
        if subprocess.run(["umount", str(folder)], capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    run("umount", folder)


@contextlib.contextmanager
def mounted(folder: Path, *arguments: str | Path) -> Iterator[Path]:
    """A file system on ``folder``: ``mounted(path, "-t", "tmpfs", "-o", "size=2m", "none")``."""
    need("mount")
    folder.mkdir(parents=True, exist_ok=True)
    mount_or_skip(*arguments, folder)
    try:
        yield folder
    finally:
        unmount(folder)


def tmpfs(folder: Path, options: str = "size=64m") -> contextlib.AbstractContextManager[Path]:
    """A file system of its own in memory."""
    return mounted(folder, "-t", "tmpfs", "-o", options, "none")


class LoopDisk:
    """An xfs or ext4 image that loses power: what was not synced is gone, as on a real disk."""

    def __init__(self, kind: str, home: Path) -> None:
        self.kind = kind
        self.image = home / f"{kind}.img"
        self.folder = home / kind

    def __enter__(self) -> LoopDisk:
        need("mount", f"mkfs.{self.kind}", *(["xfs_io"] if self.kind == "xfs" else []))
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.image.open("wb") as image:
            image.truncate(320 << 20)
        run(f"mkfs.{self.kind}", "-q", *(["-F"] if self.kind == "ext4" else []), self.image)
        mount_or_skip("-o", "loop", self.image, self.folder)
        return self

    def __exit__(self, *exc: object) -> None:
        unmount(self.folder)
        self.image.unlink()

    def cut(self) -> None:
        """From now on nothing reaches the disk, not even the log that was in memory."""
        if self.kind == "xfs":
            run("xfs_io", "-x", "-c", "shutdown", self.folder)
            return
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _EXT4_SHUTDOWN, _NO_LOG_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(fd)

    def power_up(self) -> None:
        """Mount it again: the log is replayed."""
        unmount(self.folder)
        run("mount", "-o", "loop", self.image, self.folder)
