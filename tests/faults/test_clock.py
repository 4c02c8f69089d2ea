"""Wall clocks that jump, under service and worker: libfaketime moves them, not the monotonic."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.station import Station

DAY = 86_400
BODY = content(3_000_000)
LIBRARIES = (
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib").glob("faketime/libfaketimeMT.so.1"),
)

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="needs libfaketime")


class Clock:
    """The wall clock of a station."""

    def __init__(self, home: Path) -> None:
        self.file = home / "clock"
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """From now on it is off by this much."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self.file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.mark.parametrize("jump", [DAY, -DAY, 3650 * DAY, -3650 * DAY])
def test_C1_the_clock_jumps_during_a_download(
    make_station: Callable[..., Station],
    files: FileServer,
    clock: Clock,
    tmp_path: Path,
    jump: int,
) -> None:
    station = make_station(
        environment=clock.environment,
        options={"timeout_for_request": 20.0, "timeout_for_resource": 60.0},
    )
    url = files.add("a.bin", BODY, hold_at=1_000_000)
    station.submit(url, tmp_path / "a.bin")
    station.until(lambda view: view["received"] >= 900_000)
    clock.jump(jump)
    files.hold("a.bin", None)
    view = station.wait()
    assert view["error"] is None
    assert view["attempts"] == 1, "it did not notice"
    assert_identical(tmp_path / "a.bin", BODY)


def test_C2_a_date_is_waited_for_across_jumps_and_a_restart(
    make_station: Callable[..., Station], files: FileServer, clock: Clock, tmp_path: Path
) -> None:
    """Two looks at the clock are at most 30 seconds apart."""
    station = make_station(environment=clock.environment, options={"timeout_for_resource": 3600.0})
    url = files.add("a.bin", BODY)
    station.submit(url, tmp_path / "near.bin", earliest_begin_date=time.time() + 2)
    station.submit(url, tmp_path / "far.bin", earliest_begin_date=time.time() + 20 * DAY)
    clock.jump(-DAY)
    begun = time.monotonic()
    while time.monotonic() < begun + 4:
        assert station.task(1)["waiting_for"] == "earliest_begin_date", "by its clock, too early"
        time.sleep(0.2)
    station.kill()
    station.start()
    for number in (1, 2):
        assert station.task(number)["waiting_for"] == "earliest_begin_date"
    assert files["a.bin"].requests == []
    clock.jump(0)
    assert station.wait(1, timeout=40)["error"] is None
    assert station.task(2)["waiting_for"] == "earliest_begin_date"
    clock.jump(21 * DAY)
    assert station.wait(2, timeout=40)["error"] is None, "its time was counted from its date"
    assert_identical(tmp_path / "near.bin", BODY)
    assert_identical(tmp_path / "far.bin", BODY)
