"""One figure: what we and our peers reached in the same run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """``more_is_better`` says which way round a ratio goes; above 1 always means we are better."""

    name: str
    unit: str
    ours: float
    peers: Mapping[str, float]
    more_is_better: bool

    @property
    def ratios(self) -> dict[str, float]:
        if self.more_is_better:
            return {peer: self.ours / value for peer, value in self.peers.items()}
        return {peer: value / self.ours for peer, value in self.peers.items()}

    def as_row(self) -> dict[str, Any]:
        """The form in which it stands in ``latest.json``."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 4),
            "peers": {peer: round(value, 4) for peer, value in self.peers.items()},
            "ratios": {peer: round(value, 3) for peer, value in self.ratios.items()},
        }


Run = Callable[[], Awaitable[Mapping[str, float]]]
"""One contestant's run: what it measured, by quantity."""

OURS = "ours"


async def interleave(
    contestants: Mapping[str, Run], rounds: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Medians by contestant and quantity over ``rounds`` rounds.

    Each round runs every contestant once, beginning with another one each time. A round before
    the first is thrown away: it touches the pages that the others then find touched.
    """
    values: dict[str, dict[str, list[float]]] = {name: {} for name in contestants}
    names = list(contestants)
    for number in range(rounds + 1):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            measured = await contestants[name]()
            line = ", ".join(f"{key} {value:.2f}" for key, value in measured.items())
            say(f"  {'warm-up' if number == 0 else f'round {number}'}: {name:8} {line}")
            if number > 0:
                for key, value in measured.items():
                    values[name].setdefault(key, []).append(value)
    return {
        name: {key: median(series) for key, series in by_key.items()}
        for name, by_key in values.items()
    }


def compare(
    name: str,
    unit: str,
    medians: Mapping[str, Mapping[str, float]],
    key: str,
    *,
    more_is_better: bool,
) -> Figure:
    peers = {peer: values[key] for peer, values in medians.items() if peer != OURS}
    return Figure(name, unit, medians[OURS][key], peers, more_is_better)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0–1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
