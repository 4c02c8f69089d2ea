"""Discretionary sessions run under good conditions only; what nobody knows counts as good."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_bgdl.launches import LaunchCell
from jupyter_bgdl.model import Phase, WaitingFor
from jupyter_bgdl.service.conditions import Conditions, on_battery, span

U, S = "server", "era5"
DISCRETIONARY = {"discretionary": True}
HELD = {"waiting_for": WaitingFor.CONDITIONS}


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


@pytest.fixture
def power(tmp_path: Path) -> Path:
    """A machine with a battery; its mains are on."""
    supply(tmp_path / "power", "BAT0", type="Battery", status="Charging", capacity="80")
    supply(tmp_path / "power", "AC", type="Mains", online="1")
    return tmp_path / "power"


@pytest.fixture
def guarded(tmp_path: Path, names: Any, power: Path) -> Any:
    """Makes a house whose conditions are those of ``power``, whatever the load of this machine."""

    def make(**settings: Any) -> Any:
        given = {"conditions_check": 0.05, "discretionary_load": 1e9, **settings}
        quick = msgspec.structs.replace(names.quick, power_supply=str(power), **given)
        houses.append(names.House(tmp_path, quick).open())
        return houses[-1]

    houses: list[Any] = []
    yield make
    for house in houses:
        house.close()


def test_batteries_and_mains(power: Path, tmp_path: Path) -> None:
    assert not on_battery(power)
    supply(power, "AC", online="0")
    supply(power, "BAT0", status="Discharging")
    assert on_battery(power)
    supply(power, "USB", type="USB", online="1")
    assert not on_battery(power)
    assert not on_battery(tmp_path / "nothing")
    supply(tmp_path / "desk", "UPS", type="UPS", status="Discharging")
    supply(tmp_path / "desk", "AC", type="Mains", online="0")
    supply(tmp_path / "desk", "mouse", type="Battery", scope="Device", status="Discharging")
    assert not on_battery(tmp_path / "desk")
    supply(tmp_path / "odd", "BAT0", type="Battery", status="Unknown")
    assert not on_battery(tmp_path / "odd")


@pytest.mark.parametrize(
    ("hours", "now", "good"),
    [
        ("08:00-18:00", (7, 59), False),
        ("08:00-18:00", (8, 0), True),
        ("08:00-18:00", (18, 0), False),
        ("22:00-6:00", (23, 0), True),
        ("22:00-6:00", (5, 59), True),
        ("22:00-6:00", (6, 0), False),
    ],
)
def test_hours(hours: str, now: tuple[int, int], good: bool, tmp_path: Path) -> None:
    moment = time.struct_time((2026, 1, 1, *now, 0, 3, 1, 0))
    conditions = Conditions(1e9, hours, 0.0, power=str(tmp_path), local=lambda: moment)
    obstacle = conditions.obstacle()
    assert (obstacle is None) == good
    assert obstacle is None or hours in obstacle.reason


@pytest.mark.parametrize("hours", ["", "8-18", "24:00-06:00", "08:00–18:00", "08:60-18:00"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(ValueError, match="write 22:00-06:00"):
        span(hours)


def test_the_load_keeps_and_does_not_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cores = os.cpu_count() or 1
    monkeypatch.setattr("os.getloadavg", lambda: (2.0 * cores, 0.0, 0.0))
    obstacle = Conditions(1.5, None, 0.0, power=str(tmp_path)).obstacle()
    assert obstacle is not None
    assert not obstacle.stops
    assert Conditions(2.5, None, 0.0, power=str(tmp_path)).obstacle() is None


async def test_it_waits_for_mains_and_begins_when_they_are_there(guarded: Any, power: Path) -> None:
    supply(power, "AC", online="0")
    house = guarded()
    await house.attach(configuration=DISCRETIONARY)
    await house.submit(house.spec(), house.spec("b.bin"))
    view = await house.until_phase(1, Phase.WAITING, **HELD)
    assert view.reason == "Waits for mains power"
    told = await house.service.explain(U, S, 1)
    assert "discretionary" in told.why
    log = [line.text for line in (await house.service.log(U, S)).lines]
    assert f"{S}: Waits for mains power" in log
    assert house.engine.units.empty()
    supply(power, "AC", online="1")
    assert {(await house.engine.fetch()).name for _ in range(2)} == {"a.bin", "b.bin"}


async def test_what_runs_goes_back_with_its_bytes(guarded: Any, power: Path) -> None:
    house = guarded()
    await house.attach(configuration=DISCRETIONARY)
    await house.submit(house.spec())
    fetch = await house.engine.fetch()
    house.engine.headers(fetch)
    house.engine.checkpoint(fetch, 40)
    await house.until_phase(1, Phase.RUNNING, received=40)
    supply(power, "AC", online="0")
    await house.until_phase(1, Phase.WAITING, **HELD)
    supply(power, "AC", online="1")
    assert (await house.engine.fetch()).extents == [(0, 40)]


async def test_others_do_not_wait_and_a_change_of_mind_counts(guarded: Any, power: Path) -> None:
    supply(power, "AC", online="0")
    house = guarded()
    await house.attach(configuration=DISCRETIONARY)
    await house.attach("k2", session="other")
    await house.submit(house.spec())
    await house.until_phase(1, Phase.WAITING, **HELD)
    await house.service.submit(U, "other", [house.spec("other.bin")])
    assert (await house.engine.bring()).name == "other.bin"
    await house.attach(configuration={"discretionary": False})
    assert (await house.engine.bring()).name == "a.bin"


async def test_a_waiting_transfer_of_higher_priority_goes_first(guarded: Any) -> None:
    house = guarded(max_active_tasks=1)
    await house.attach("k2", session="other")
    await house.attach(configuration=DISCRETIONARY)
    await house.service.submit(U, "other", [house.spec("first.bin")])
    first = await house.engine.fetch()
    await house.service.submit(U, "other", [house.spec("urgent.bin", priority=0.9)])
    await house.submit(house.spec("mild.bin"))
    view = await house.until_phase(1, Phase.WAITING, **HELD)
    assert view.reason == "Lets transfers of higher priority go first"
    house.engine.fail(first, "http_status", status_code=404)
    urgent = await house.engine.fetch()
    assert urgent.name == "urgent.bin"
    house.engine.fail(urgent, "http_status", status_code=404)
    assert (await house.engine.fetch()).name == "mild.bin"


async def test_what_a_launched_kernel_makes_waits_until_a_person_is_there(
    guarded: Any, power: Path
) -> None:
    supply(power, "AC", online="0")
    house = guarded()
    await house.attach()
    cell = LaunchCell(notebook="a.ipynb", kernel_name="p", source="1", registered_at=0.0)
    await house.service.launches.register(U, S, cell)
    await house.service.launches.launched(U, S, True)
    await house.submit(house.spec())
    await house.until_phase(1, Phase.WAITING, **HELD)
    assert "launched" in (await house.service.explain(U, S, 1)).why
    house.reopen()
    await house.until_phase(1, Phase.WAITING, **HELD)
    await house.attach("person", take_over=True)
    await house.engine.bring()
