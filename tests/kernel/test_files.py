"""Where a move loses, overwrites or leaves something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_bgdl.errors import DestinationExists, InvalidRequest
from jupyter_bgdl.kernel.files import move, resolve_destination


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "staging" / "a.nc"
    path.parent.mkdir()
    path.write_bytes(b"data")
    return path


def test_moved_twice_is_moved_once(staged: Path, tmp_path: Path) -> None:
    target = move(staged, "data/")
    assert move(target, "data/") == target
    assert target.read_bytes() == b"data"
    assert not staged.exists()


def test_E2_moved_before_a_redelivery_is_found_moved(staged: Path, tmp_path: Path) -> None:
    keep = staged.with_name(".keep")
    os.link(staged, keep)
    target = move(staged, "data/")
    os.link(keep, staged)  # as the server does before it delivers again
    assert move(staged, "data/") == target
    assert not staged.exists()
    assert target.read_bytes() == b"data"


def test_an_existing_file_is_not_overwritten(staged: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.nc").write_bytes(b"mine")
    with pytest.raises(DestinationExists):
        move(staged, "mine.nc")
    assert (tmp_path / "mine.nc").read_bytes() == b"mine"
    assert staged.exists()


def test_a_dangling_link_at_the_target_is_not_followed(staged: Path, tmp_path: Path) -> None:
    (tmp_path / "link.nc").symlink_to(tmp_path / "elsewhere.nc")
    with pytest.raises(DestinationExists):
        move(staged, "link.nc")
    assert not (tmp_path / "elsewhere.nc").exists()


def test_across_file_systems_it_is_a_whole_copy(staged: Path, tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == staged.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    target = other / f"bgdl-test-{os.getpid()}.nc"
    try:
        assert move(staged, target) == target
        assert target.read_bytes() == b"data"
        assert not staged.exists()
        assert not list(other.glob(f".bgdl-test-{os.getpid()}*"))
    finally:
        target.unlink(missing_ok=True)


def test_a_slash_or_a_folder_means_in_there(staged: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for text in ("there", "there/", "./there", tmp_path / "there"):
        assert resolve_destination(text) == f"{tmp_path}/there/"
    assert resolve_destination("new/") == f"{tmp_path}/new/"
    assert resolve_destination("new") == f"{tmp_path}/new"
    assert resolve_destination(".") == f"{tmp_path}/"


@pytest.mark.parametrize("bad", ["", "a\0b", b"bytes"])
def test_what_is_no_path_is_refused(bad: str) -> None:
    with pytest.raises(InvalidRequest):
        resolve_destination(bad)
