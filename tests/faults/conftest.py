"""Fixtures of the fault tests that run service and worker together, over real disks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer
from support.station import Station


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def make_station(tmp_path: Path) -> Iterator[Callable[..., Station]]:
    """Stations that are stopped at the end."""
    stations: list[Station] = []

    def make(**fields: Any) -> Station:
        stations.append(Station(tmp_path / "home", **fields).start())
        return stations[-1]

    yield make
    for station in stations:
        station.stop()


@pytest.fixture
def station(make_station: Callable[..., Station]) -> Station:
    return make_station()
