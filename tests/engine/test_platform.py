"""Every fallback, forced to happen on the system at hand."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from jupyter_bgdl.engine import platform


@pytest.fixture(params=["renameat2", "link", "placeholder"])
def way(request, monkeypatch):
    """Each way to name a file, the better ones made to fail as file systems make them fail."""
    if request.param != "renameat2":
        monkeypatch.setattr(platform, "find_renameat2", lambda: lambda *args: errno.EINVAL)
    if request.param == "placeholder":

        def no_links(*args, **kwargs):
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", no_links)
    return request.param


@pytest.fixture
def folder(tmp_path):
    fd = platform.open_folder(str(tmp_path))
    yield fd
    os.close(fd)


def test_rename_noreplace_names(way, folder, tmp_path):
    (tmp_path / "a").write_bytes(b"ours")
    inode = (tmp_path / "a").stat().st_ino
    platform.rename_noreplace("a", "b", source_dir=folder, target_dir=folder)
    assert (tmp_path / "b").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_rename_noreplace_does_not_replace(way, folder, tmp_path):
    (tmp_path / "a").write_bytes(b"ours")
    (tmp_path / "b").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        platform.rename_noreplace("a", "b", source_dir=folder, target_dir=folder)
    assert (tmp_path / "a").read_bytes() == b"ours"
    assert (tmp_path / "b").read_bytes() == b"theirs"


def test_rename_noreplace_of_nothing_leaves_nothing(way, folder, tmp_path):
    with pytest.raises(FileNotFoundError):
        platform.rename_noreplace("a", "b", source_dir=folder, target_dir=folder)
    assert list(tmp_path.iterdir()) == []


def test_another_failure_of_renameat2_is_not_covered_up(monkeypatch, folder, tmp_path):
    (tmp_path / "a").write_bytes(b"ours")
    monkeypatch.setattr(platform, "find_renameat2", lambda: lambda *args: errno.EROFS)
    with pytest.raises(OSError, match="Read-only"):
        platform.rename_noreplace("a", "b", source_dir=folder, target_dir=folder)


def test_without_renameat2_in_the_library(monkeypatch):
    monkeypatch.setattr(platform.ctypes, "CDLL", lambda *args, **kwargs: object())
    assert platform.find_renameat2.__wrapped__() is None


@pytest.mark.parametrize("has_flag", [True, False])
def test_T8_open_nofollow_refuses_links(has_flag, monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    if not has_flag:
        monkeypatch.delattr(os, "O_NOFOLLOW")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - told apart by errno
        platform.open_nofollow(str(tmp_path / "link"), os.O_RDWR)
    assert caught.value.errno == errno.ELOOP
    os.close(platform.open_nofollow(str(tmp_path / "file"), os.O_RDWR))


@pytest.mark.parametrize("way", ["fdatasync", "fsync", "full"])
def test_sync_data(way, monkeypatch, tmp_path):
    called = []
    if way == "fsync":
        monkeypatch.delattr(os, "fdatasync")
        fsync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: (called.append(fd), fsync(fd)))
    elif way == "full":
        monkeypatch.setattr(platform, "_full_sync", lambda: called.append)
    else:
        fdatasync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", lambda fd: (called.append(fd), fdatasync(fd)))
    with (tmp_path / "file").open("wb") as file:
        platform.sync_data(file.fileno())
        assert called == [file.fileno()]


def test_sync_folder_where_folders_cannot_be_synced(monkeypatch, folder):
    platform.sync_folder(folder)

    def refuse(code):
        def fsync(fd):
            raise OSError(code, os.strerror(code))

        return fsync

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    platform.sync_folder(folder)
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        platform.sync_folder(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's call is Linux's")
def test_renameat2_is_there_on_linux():
    assert platform.find_renameat2() is not None
