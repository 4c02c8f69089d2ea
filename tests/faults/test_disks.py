"""Disks that are full, read-only, broken or taken away, under service and worker."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.disks import mounted, need, run, tmpfs
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station, StationError
from support.tracer import Tracer

SIZE = 6_000_000
BODY = content(SIZE)


def test_D3_a_read_only_disk_is_an_error_and_the_others_run_on(
    station: Station, files: FileServer, tmp_path: Path
) -> None:
    url = files.add("a.bin", BODY, rate=8e6)
    real, shown = tmp_path / "real", tmp_path / "shown"
    real.mkdir()
    with mounted(shown, "--bind", real):
        station.submit(url, tmp_path / "other.bin")
        station.submit(url, shown / "a.bin", resume=False)
        run("mount", "-o", "remount,ro,bind", shown)
        with pytest.raises(StationError, match="Read-only"):
            station.submit(url, shown / "b.bin")
        station.call("resume", number=2)
        error = station.wait(2)["error"]
    assert error
    assert error["code"] == "destination_not_allowed"
    assert list(real.iterdir()) == []
    assert station.wait(1)["error"] is None
    assert_identical(tmp_path / "other.bin", BODY)


def test_D3_an_immutable_folder(station: Station, files: FileServer, tmp_path: Path) -> None:
    url = files.add("a.bin", BODY, rate=4e6)
    need("mkfs.ext4", "chattr")
    folder = tmp_path / "fixed"
    folder.mkdir()
    station.submit(url, folder / "a.bin")
    station.until(lambda view: view["received"] > 1_000_000)
    run("chattr", "+i", folder)
    try:
        error = station.wait()["error"]
    finally:
        run("chattr", "-i", folder)
    assert error
    assert error["code"] == "destination_not_allowed"
    assert not (folder / "a.bin").exists()


@pytest.mark.parametrize(
    "inject",
    ["splice:error=EIO:when=20", "fdatasync:error=EIO:when=1"],
    ids=["write", "one_sync"],
)
def test_D4_the_disk_fails_once(
    station: Station, files: FileServer, tmp_path: Path, inject: str
) -> None:
    """What was synced before stays; what was written since is fetched again."""
    url = files.add("a.bin", BODY, rate=3e6, hold_at=500_000)
    station.submit(url, tmp_path / "a.bin")
    station.until(lambda view: view["received"] >= 400_000)
    pid = station.worker
    assert pid
    tracer = Tracer(pid, [inject.partition(":")[0]], inject, tmp_path / "strace.log")
    files.hold("a.bin", None)
    try:
        station.until(lambda view: view["attempts"] > 1 or view["state"] == "completed")
    finally:
        tracer.detach()
    view = station.wait()
    assert view["error"] is None
    assert view["attempts"] > 1, "the fault was not noticed"
    assert_identical(tmp_path / "a.bin", BODY)


@pytest.mark.parametrize("change", ["deleted", "truncated", "edited", "link"])
def test_D6_somebody_touches_the_part_of_a_paused_task(
    station: Station, files: FileServer, tmp_path: Path, change: str
) -> None:
    """An edit in place keeps inode and size: only a checksum tells."""
    url = files.add("a.bin", BODY, hold_at=SIZE // 2)
    station.submit(url, tmp_path / "a.bin", checksum=f"sha256:{files['a.bin'].sha256}")
    station.until(lambda view: view["received"] >= SIZE // 4)
    station.call("suspend", number=1)
    station.until(lambda view: view["rate"] == 0 and view["state"] == "suspended")
    [part] = tmp_path.glob(".*.part")
    if change == "truncated":
        os.truncate(part, 1000)
    elif change == "edited":
        with part.open("r+b") as file:
            file.write(b"something else")
    else:
        part.unlink()
        if change == "link":
            part.symlink_to("/etc/passwd")
    files.hold("a.bin", None)
    station.call("resume", number=1)
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


@pytest.mark.parametrize("how", ["removed", "link"])
def test_D8_the_folder_goes_while_it_is_filled(
    station: Station, files: FileServer, tmp_path: Path, how: str
) -> None:
    url = files.add("a.bin", BODY, hold_at=SIZE // 2)
    folder, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    station.submit(url, folder / "a.bin")
    station.until(lambda view: view["received"] >= SIZE // 4)
    folder.rename(tmp_path / "moved")
    if how == "link":
        folder.symlink_to(other)
    files.hold("a.bin", None)
    view = station.wait()
    if view["error"] is None:
        assert_identical(view["path"], BODY)
        assert Path(view["path"]).parent == folder
    assert [path.name for path in (tmp_path / "moved").iterdir() if path.name == "a.bin"] == []


def test_D9_the_destination_moves_to_another_file_system(
    station: Station, files: FileServer, tmp_path: Path
) -> None:
    """A task with a key that failed, and is submitted again with another destination: the part is
    always beside the target, so nothing has to cross."""
    url = files.add("a.bin", BODY, status=404)
    with tmpfs(tmp_path / "first") as first, tmpfs(tmp_path / "second") as second:
        station.submit(url, first / "a.bin", key="one")
        assert station.wait()["error"]["code"] == "http_status"
        files["a.bin"].status = 200
        station.submit(url, second / "a.bin", key="one")
        assert station.wait()["error"] is None
        assert_identical(second / "a.bin", BODY)
        station.stop()
        assert list(first.iterdir()) == []
        assert list(second.iterdir()) == [second / "a.bin"]


def test_D9_a_disk_is_mounted_over_the_folder(
    station: Station, files: FileServer, tmp_path: Path
) -> None:
    """The part is under the new disk: it starts again on that."""
    url = files.add("a.bin", BODY, hold_at=SIZE // 2)
    folder = tmp_path / "out"
    station.submit(url, folder / "a.bin")
    station.until(lambda view: view["received"] >= SIZE // 4)
    with tmpfs(folder):
        files.hold("a.bin", None)
        assert station.wait()["error"] is None
        assert_identical(folder / "a.bin", BODY)
        station.stop()


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('attachment; filename="CON.txt"', None),
        ('attachment; filename="dots..."', None),
        (f'attachment; filename="{"x" * 400}.tar.gz"', None),
        ("attachment; filename*=UTF-8''a%00b.bin", None),
        ("attachment; filename*=UTF-8''%2e%2e%2fup.bin", "up.bin"),
    ],
    ids=["reserved", "dots", "long", "nul", "up"],
)
def test_D11_names_that_no_disk_should_see(
    make_station: Callable[..., Station],
    files: FileServer,
    tmp_path: Path,
    disposition: str,
    expected: str | None,
) -> None:
    url = files.add("a.bin", BODY[:1000], headers={"Content-Disposition": disposition})
    names = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    station = make_station()
    for number, folder in enumerate(("one", "two"), 1):
        station.submit(url, f"{tmp_path / folder}/")
        view = station.wait(number)
        assert view["error"] is None
        assert_identical(view["path"], BODY[:1000])
        [file] = (tmp_path / folder).iterdir()
        names.append(file.name)
    assert names[0] == names[1], "the same name each time"
    assert len(os.fsencode(names[0])) <= 255
    assert not names[0].startswith(".")
    assert not names[0].endswith(".")
    assert "\0" not in names[0]
    assert names[0] not in ("CON.txt", "CON")
    if expected:
        assert names[0] == expected


def test_P9_the_ledgers_disk_is_full(
    make_station: Callable[..., Station], files: FileServer, tmp_path: Path
) -> None:
    """Nothing is reported done that is not committed; it goes on when there is room."""
    state = tmp_path / "state"
    with tmpfs(state, "size=3m"):
        station = make_station(state=state)
        url = files.add("a.bin", BODY, hold_at=SIZE // 2)
        station.submit(url, tmp_path / "a.bin")
        station.until(lambda view: view["received"] >= SIZE // 4)
        ballast = state / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(state).f_bavail == 0
        files.hold("a.bin", None)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            assert station.task()["state"] != "completed", "it was told before it was committed"
        ballast.unlink()
        assert station.wait()["error"] is None
        assert_identical(tmp_path / "a.bin", BODY)
        station.stop()


def test_P12_a_fast_network_and_a_slow_disk(
    station: Station, files: FileServer, tmp_path: Path
) -> None:
    """Bytes that the disk does not take yet wait in the network, not in memory."""
    big = BODY * 20
    url = files.add("a.bin", big, hold_at=SIZE)
    station.submit(url, tmp_path / "a.bin")
    station.until(lambda view: view["received"] >= SIZE // 2)
    pid = station.worker
    assert pid
    tracer = Tracer(pid, ["splice"], "splice:delay_exit=20000", tmp_path / "strace.log")
    before = _resident(pid)
    files.hold("a.bin", None)
    try:
        station.until(lambda view: view["received"] > 3 * SIZE)
        assert _resident(pid) - before < 20 << 20
    finally:
        tracer.detach()
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", big)


def _resident(pid: int) -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
