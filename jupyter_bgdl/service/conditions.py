"""Whether conditions are good for transfers that can wait; what nobody knows counts as good."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

POWER = "/sys/class/power_supply"
"""Where Linux tells of batteries and of mains (Documentation/ABI/testing/sysfs-class-power)."""

_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


class Obstacle(Struct, frozen=True):
    """What is not good."""

    reason: str
    """A few words for a person."""
    stops: bool
    """Also for what runs already. The load is not: the transfers are part of it."""


class Conditions:
    """Looks at the machine, at most once in ``keeps`` seconds."""

    def __init__(
        self,
        load: float,
        hours: str | None,
        keeps: float,
        *,
        power: str = POWER,
        local: Callable[[], time.struct_time] = time.localtime,
    ) -> None:
        """``load``: the most that each core may have. ``hours``: as :func:`span`."""
        self._load = load
        self._hours = hours
        self._keeps = keeps
        self._power = Path(power)
        self._local = local
        self._looked = -float("inf")
        self._found: Obstacle | None = None

    def obstacle(self) -> Obstacle | None:
        """None: all is good, as far as anybody knows."""
        now = time.monotonic()
        if now - self._looked >= self._keeps:
            self._looked, self._found = now, self._look()
        return self._found

    def _look(self) -> Obstacle | None:
        if self._hours and not _within(self._local(), *span(self._hours)):
            return Obstacle(f"Waits for its hours ({self._hours})", stops=True)
        if on_battery(self._power):
            return Obstacle("Waits for mains power", stops=True)
        if load_of_a_core() > self._load:
            return Obstacle("Waits for a lower load", stops=False)
        return None


def span(hours: str) -> tuple[int, int]:
    """``HH:MM-HH:MM`` as minutes of the local day; the end may be on the next one. Raises
    ValueError."""
    match = _HOURS.fullmatch(hours.strip())
    if match is None:
        raise ValueError(f"{hours!r} are no hours; write 22:00-06:00, in the server's local time.")
    first, second, third, fourth = (int(number) for number in match.groups())
    return first * 60 + second, third * 60 + fourth


def _within(now: time.struct_time, begin: int, end: int) -> bool:
    minute = now.tm_hour * 60 + now.tm_min
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def on_battery(folder: Path) -> bool:
    """There is a battery for the machine, and it is certain that no mains feeds it."""
    has_battery, discharges, mains = False, False, []
    for supply in folder.glob("*"):
        kind = _read(supply / "type")
        if kind == "Battery" and _read(supply / "scope") != "Device":  # Of a mouse, say.
            has_battery = True
            discharges |= _read(supply / "status") == "Discharging"
        elif kind in ("Mains", "USB"):
            mains.append(_read(supply / "online"))
    if not has_battery or "1" in mains:
        return False
    return discharges or (bool(mains) and all(online == "0" for online in mains))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def load_of_a_core() -> float:
    """Mean of the last minute; 0 where nobody can tell."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (OSError, AttributeError):
        return 0.0
