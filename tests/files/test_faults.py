"""The table of faults and the tests agree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.fault_table import documented, ids

TESTS = Path(__file__).parents[1]

IDS = [
    *(f"N{n}" for n in range(1, 13)),
    *(f"S{n}" for n in range(1, 28)),
    *(f"R{n}" for n in range(1, 9)),
    *(f"D{n}" for n in range(1, 14)),
    *(f"P{n}" for n in range(1, 14)),
    *(f"C{n}" for n in range(1, 4)),
    *(f"E{n}" for n in range(1, 11)),
    *(f"U{n}" for n in range(1, 6)),
    "L1",
    "L2",
    *(f"T{n}" for n in range(1, 26)),
]


def named_in_tests() -> set[str]:
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE):
            found.update(ids(name))
    return found


def test_every_row_is_in_the_document() -> None:
    assert list(documented()) == IDS
    assert len(IDS) == 118


def test_every_row_has_a_test() -> None:
    assert set(IDS) - named_in_tests() == set()


def test_a_test_is_counted_for_each_row_that_it_names() -> None:
    assert ids("test_P1_P2_killed_in_every_phase") == ["P1", "P2"]
    assert ids("test_what_P1_is") == []


def test_the_last_line_counts(tmp_path: Path) -> None:
    (tmp_path / "test_rows.py").write_text(
        "import pytest\n"
        "from support.identical import assert_identical\n"
        "def test_N1_passes(): pass\n"
        "def test_N1_N2_passes(): pass\n"
        "def test_N3_fails(): assert False\n"
        "def test_N4_skips(): pytest.skip('no root')\n"
        "def test_S1_is_wrong(tmp_path):\n"
        "    (tmp_path / 'a').write_bytes(b'a')\n"
        "    assert_identical(tmp_path / 'a', b'b')\n"
        "def test_of_no_row(): assert False\n"
    )
    command = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "support.fault_table",
        "--faults",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [sys.executable, *command, "-c", "/dev/null", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(TESTS), "PATH": ""},
        cwd=TESTS.parent,
    )
    *table, last = done.stdout.splitlines()
    assert last == "faults: rows tested 4/93, survived 2, silently wrong 1", done.stdout
    shown = {line.split()[0]: line for line in table if re.match(r"[NS]\d+ ", line)}
    assert shown["N1"].endswith("survived (2 tests)")
    assert shown["N4"].endswith("skipped: no root")
    assert shown["S1"].endswith("SILENTLY WRONG")
