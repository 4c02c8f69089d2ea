"""``make faults`` and ``make threats``: the tests of ``docs/faults.md``, row by row.

A pytest plugin. With ``--faults`` or ``--threats`` only the tests whose names carry the id of a row
are run (the threats are the rows whose id begins with T), the table is printed at the end, and its
last line counts: a row is *tested* when one of its tests ran, has *survived* when none of those
failed, and is *silently wrong* when one failed with :class:`~support.identical.SilentlyWrong`: a
file was published that is not what was sent. What the line of the threats counts besides is
measured by their tests, in that run: :mod:`support.figures`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import figures
from support.identical import SilentlyWrong

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
_ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \|", re.MULTILINE)


def documented() -> dict[str, str]:
    """The faults of ``docs/faults.md`` by id, in its order."""
    return dict(_ROW.findall(DOCUMENT.read_text(encoding="utf-8")))


def ids(test: str) -> list[str]:
    """The rows that a test is for: ``test_P1_P2_…`` is for P1 and P2."""
    found = []
    for part in test.removeprefix("test_").split("_"):
        if not re.fullmatch(r"[A-Z]\d+", part):
            break
        found.append(part)
    return found


@dataclass
class Row:
    """What became of a row's tests."""

    fault: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    """Why."""
    is_silently_wrong: bool = False

    @property
    def is_tested(self) -> bool:
        return bool(self.passed or self.failed)

    @property
    def verdict(self) -> str:
        if self.is_silently_wrong:
            return "SILENTLY WRONG"
        if self.failed:
            return f"failed: {', '.join(self.failed)}"
        if self.passed:
            return f"survived ({self.passed} {'test' if self.passed == 1 else 'tests'})"
        return f"skipped: {'; '.join(sorted(self.skipped))}" if self.skipped else "no test"


class Table:
    """Collects the outcomes and prints them."""

    def __init__(self, *, of_threats: bool) -> None:
        self.of_threats = of_threats
        self.rows = {
            row: Row(fault)
            for row, fault in documented().items()
            if row.startswith("T") == of_threats
        }

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        kept = [item for item in items if self._rows_of(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Iterator[None]:
        outcome = yield
        report = outcome.get_result()  # type: ignore[attr-defined]
        for row in self._rows_of(item):
            if report.skipped and isinstance(report.longrepr, tuple):
                row.skipped.add(report.longrepr[2].removeprefix("Skipped: "))
            elif report.failed:
                row.failed.append(item.name)
                row.is_silently_wrong |= call.excinfo is not None and call.excinfo.errisinstance(
                    SilentlyWrong
                )
            elif report.when == "call" and report.passed:
                row.passed += 1

    def _rows_of(self, item: pytest.Item) -> list[Row]:
        name = getattr(item, "originalname", item.name)
        return [self.rows[row] for row in ids(name) if row in self.rows]

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        print()
        for name, row in self.rows.items():
            print(f"{name:4} {row.fault[:60]:60} {row.verdict}")
        rows = self.rows.values()
        tested = f"rows tested {sum(row.is_tested for row in rows)}/{len(rows)}"
        if self.of_threats:
            print(f"threats: {tested}, {figures.line()}")
            return
        print(
            f"faults: {tested}, "
            f"survived {sum(bool(row.passed and not row.failed) for row in rows)}, "
            f"silently wrong {sum(row.is_silently_wrong for row in rows)}"
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", action="store_true", help="run and count the rows of faults.md")
    parser.addoption("--threats", action="store_true", help="as --faults, its rows of threats")


def pytest_configure(config: pytest.Config) -> None:
    for option, of_threats in (("--faults", False), ("--threats", True)):
        if config.getoption(option):
            config.pluginmanager.register(Table(of_threats=of_threats))
