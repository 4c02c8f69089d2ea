"""Disks without room: what waits for them goes on by itself, where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.disks import mounted, need, run, tmpfs
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station

SIZE = 6_000_000
BODY = content(SIZE)
SLOW = {"disk_retry": 3.0, "disk_poll": 0.05}
"""While too little is free, only the look at the free space can wake a task."""


def test_D1_a_disk_that_is_too_small_is_seen_before_the_first_byte(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path
) -> None:
    station = make_station(settings=SLOW)
    url = files.add("a.bin", BODY)
    with tmpfs(tmp_path / "out", "size=4m") as out:
        station.submit(url, out / "a.bin", count_of_bytes_client_expects_to_receive=SIZE)
        station.until(lambda view: view["waiting_for"] == "disk_space")
        assert files["a.bin"].requests == [], "what was expected says it"
        station.submit(url, out / "b.bin")
        station.until(lambda view: view["waiting_for"] == "disk_space", 2)
        assert list(out.iterdir()) == []
        run("mount", "-o", "remount,size=20m", out)
        for number, name in (1, "a.bin"), (2, "b.bin"):
            assert station.wait(number)["error"] is None
            assert_identical(out / name, BODY)
        station.stop()


def test_D1_a_disk_that_fills_up_under_way(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path
) -> None:
    station = make_station(settings=SLOW)
    url = files.add("a.bin", BODY, hold_at=2_000_000)
    with tmpfs(tmp_path / "out", "size=8m") as out:
        station.submit(url, out / "a.bin")
        station.until(lambda view: view["received"] >= 1_900_000)
        (out / "others").write_bytes(bytes(4_000_000))
        files.hold("a.bin", None)
        station.until(lambda view: view["waiting_for"] == "disk_space")
        asked = len(files["a.bin"].requests)
        station.call("retry", number=1)
        station.until(lambda view: view["waiting_for"] == "disk_space")
        assert len(files["a.bin"].requests) == asked, "there is no room: nobody is asked"
        (out / "others").unlink()
        assert station.wait()["error"] is None
        assert_identical(out / "a.bin", BODY)
        assert "range" in files["a.bin"].requests[-1], "what was there was not fetched again"
        station.stop()


def test_D2_a_quota_is_used_up(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path
) -> None:
    need("mkfs.btrfs", "btrfs")
    station = make_station()
    url = files.add("a.bin", BODY)
    image = tmp_path / "btrfs.img"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    run("mkfs.btrfs", "-q", image)
    with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
        run("btrfs", "quota", "enable", disk)
        run("btrfs", "subvolume", "create", disk / "mine")
        run("btrfs", "qgroup", "limit", "3M", disk / "mine")
        station.submit(url, disk / "mine" / "a.bin")
        view = station.until(lambda view: view["waiting_for"] == "disk_space")
        assert view["error"] is None
        run("btrfs", "qgroup", "limit", "none", disk / "mine")
        assert station.wait()["error"] is None
        assert_identical(disk / "mine" / "a.bin", BODY)
        station.stop()
