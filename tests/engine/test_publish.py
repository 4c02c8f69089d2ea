"""Giving a part its name. D-rows of the fault table."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest
from support.disks import tmpfs
from support.identical import assert_identical

from jupyter_bgdl.engine.protocol import Failed, Headers, Published, Ready


@pytest.fixture
def ready(bench, server, resource, body):
    server.answer = resource(body)
    ready = bench.fetch(server.url)
    assert isinstance(ready, Ready)
    return ready


def test_published_whole_with_an_ordinary_mode(bench, ready, body):
    target = bench.folder / "deep" / "data.bin"
    part = Path(ready.part.path)
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    published = bench.publish(ready, target)
    assert published.path == str(target)
    assert target.read_bytes() == body
    assert not part.exists()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


def test_D7_a_destination_that_appeared_meanwhile_is_left_alone(bench, ready):
    target = bench.folder / "data.bin"
    target.write_bytes(b"theirs")
    failed = bench.publish(ready, target)
    assert failed.code == "destination_exists"
    assert target.read_bytes() == b"theirs"
    assert Path(ready.part.path).exists()


def test_D7_replace(bench, ready, body):
    target = bench.folder / "data.bin"
    target.write_bytes(b"theirs")
    assert bench.publish(ready, target, if_exists="replace").path == str(target)
    assert target.read_bytes() == body


def test_D7_replace_does_not_replace_a_folder(bench, ready):
    target = bench.folder / "data.bin"
    target.mkdir()
    assert bench.publish(ready, target, if_exists="replace").code == "destination_not_allowed"


@pytest.mark.parametrize(
    ("name", "second"), [("data.bin", "data (2).bin"), ("a.tar.gz", "a (2).tar.gz"), ("x", "x (2)")]
)
def test_D7_rename(bench, ready, body, name, second):
    target = bench.folder / name
    target.write_bytes(b"theirs")
    Path(bench.folder / second.replace("2", "1")).write_bytes(b"theirs, too")
    published = bench.publish(ready, target, if_exists="rename")
    assert published.path == str(bench.folder / second)
    assert Path(published.path).read_bytes() == body
    # killed before it was committed, and asked again
    assert bench.publish(ready, target, if_exists="rename").path == published.path


@pytest.mark.parametrize("if_exists", ["keep", "replace", "rename"])
def test_P1_published_twice_is_published_once(bench, ready, body, if_exists):
    target = bench.folder / "data.bin"
    for _ in range(2):
        assert bench.publish(ready, target, if_exists=if_exists).path == str(target)
    assert [path.name for path in bench.folder.iterdir()] == ["data.bin"]


def test_P1_killed_between_link_and_unlink(bench, ready, body):
    target = bench.folder / "data.bin"
    target.hardlink_to(ready.part.path)
    assert isinstance(bench.publish(ready, target), Published)
    assert [path.name for path in bench.folder.iterdir()] == ["data.bin"]


def test_a_kept_link_outlives_the_published_file(bench, ready, body):
    target, keep = bench.folder / "data.bin", bench.folder / "kept" / ".data.bin"
    for _ in range(2):
        assert isinstance(bench.publish(ready, target, keep=str(keep)), Published)
    target.unlink()
    assert keep.read_bytes() == body
    assert keep.stat().st_nlink == 1


def test_D6_a_part_that_was_deleted(bench, ready):
    Path(ready.part.path).unlink()
    assert bench.publish(ready, bench.folder / "x").code == "part_lost"


def test_D6_T8_a_part_that_was_swapped_for_a_link(bench, ready, tmp_path):
    part = Path(ready.part.path)
    part.rename(tmp_path / "elsewhere")
    part.symlink_to(tmp_path / "elsewhere")
    assert bench.publish(ready, bench.folder / "x").code == "part_lost"


def test_D6_a_part_that_was_truncated(bench, ready):
    os.truncate(ready.part.path, 5)
    assert bench.publish(ready, bench.folder / "x").code == "part_lost"


@pytest.mark.parametrize("change", ["deleted", "truncated", "link", "replaced"])
def test_D6_a_part_that_changed_is_not_resumed(bench, server, resource, body, tmp_path, change):
    server.answer = resource(body, stop_at=1_500_000)
    assert bench.fetch(server.url).code == "truncated"
    part = Path(bench.kept()["part"].path)
    if change == "truncated":
        os.truncate(part, 100)
    else:
        part.rename(tmp_path / "elsewhere")
        if change == "link":
            part.symlink_to(tmp_path / "elsewhere")
        elif change == "replaced":
            part.write_bytes(bytes(1_500_000))
    ready = bench.resume(server.url)
    assert isinstance(ready, Ready)
    assert Path(ready.part.path).read_bytes() == body
    assert bench.of(Headers, ready.attempt)[0].received == 0


def test_D6_a_part_deleted_while_it_is_filled(bench, server, resource, body):
    server.answer = resource(body, rate=6e6)
    unit = bench.submit(server.url)
    headers = bench.wait(lambda r: isinstance(r, Headers))
    Path(headers.part.path).unlink()
    assert bench.end_of(unit.attempt).code == "part_lost"


def test_D8_T8_a_folder_that_was_swapped_for_a_link(bench, ready, tmp_path):
    bench.folder.rename(tmp_path / "moved")
    (tmp_path / "other").mkdir()
    bench.folder.symlink_to(tmp_path / "other")
    assert bench.publish(ready, bench.folder / "x").code == "part_lost"
    assert list((tmp_path / "other").iterdir()) == []


def test_D8_a_folder_that_was_removed(bench, ready, tmp_path):
    bench.folder.rename(tmp_path / "moved")
    assert isinstance(bench.publish(ready, tmp_path / "x"), Failed)


def test_D3_a_folder_that_cannot_be(bench, server, resource, body, tmp_path):
    server.answer = resource(body)
    (tmp_path / "file").write_bytes(b"")
    assert bench.fetch(server.url, folder=tmp_path / "file" / "x").code == "destination_not_allowed"


@pytest.mark.parametrize("if_exists", ["keep", "replace", "rename"])
def test_D9_from_another_file_system(bench, ready, body, tmp_path, if_exists):
    with tmpfs(tmp_path / "other") as other:
        target = other / "data.bin"
        for _ in range(2):  # killed before it was committed, and asked again
            published = bench.publish(ready, target, if_exists=if_exists)
            assert published == Published(published.attempt, str(target), copied=True)
            assert_identical(target, body)
        assert list(other.iterdir()) == [target]
        assert Path(ready.part.path).exists(), "it goes once the commit is safe"


@pytest.mark.parametrize("if_exists", ["keep", "rename"])
def test_D9_over_a_file_of_somebody_else(bench, ready, body, tmp_path, if_exists):
    with tmpfs(tmp_path / "other") as other:
        (other / "data.bin").write_bytes(body[::-1])
        end = bench.publish(ready, other / "data.bin", if_exists=if_exists)
        assert_identical(other / "data.bin", body[::-1])
        if if_exists == "keep":
            assert end.code == "destination_exists"
            assert len(list(other.iterdir())) == 1, "the copy is gone again"
        else:
            assert_identical(end.path, body)


def test_D9_no_room_for_the_copy(bench, ready, tmp_path):
    with tmpfs(tmp_path / "other", "size=1m") as other:
        assert bench.publish(ready, other / "data.bin").code == "disk_space"
        assert list(other.iterdir()) == []


def test_D10_another_part_under_the_same_target(bench, ready, server):
    other = bench.fetch(server.url)
    target = bench.folder / "data.bin"
    assert isinstance(bench.publish(ready, target), Published)
    assert bench.publish(other, target).code == "destination_exists"


def test_the_size_that_was_verified_is_checked_again(bench, ready):
    wrong = msgspec.structs.replace(ready, size=ready.size - 1)
    assert bench.publish(wrong, bench.folder / "x").code == "part_lost"
