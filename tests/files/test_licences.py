"""What is bundled and what is installed along may be passed on as we pass it on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PERMISSIVE = r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL-2\.0|0BSD|Unlicense"
RECIPROCAL = r"\b[AL]?GPL|EUPL|CDDL|SSPL|Proprietary|Commercial"


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    script = [sys.executable, ROOT / ".ci" / "licences"]
    told = subprocess.run(script, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return [line.split("\t") for line in told.stdout.splitlines()]


def test_every_licence_is_known_and_permissive(rows: list[list[str]]) -> None:
    wrong = [row for row in rows if not re.search(PERMISSIVE, row[3])]
    wrong += [row for row in rows if re.search(RECIPROCAL, row[3])]
    assert wrong == []


def test_the_list_has_what_the_project_needs_and_bundles(rows: list[list[str]]) -> None:
    names = {(kind, name) for kind, name, _, _ in rows}
    declared = re.search(r"\ndependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.S)
    assert declared
    for name in re.findall(r'"([A-Za-z_]+)', declared[1]):
        assert ("installed", name.replace("_", "-")) in names
    # The loader of our own style sheets: a build that lists nothing has lost its list.
    assert ("bundled", "style-loader") in names
