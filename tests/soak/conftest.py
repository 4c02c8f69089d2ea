"""How long the soak is: ``make soak`` runs all of it, ``make test`` the short form."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest
from support.fileserver import FileServer

LONG = os.environ.get("SOAK") == "long"


@pytest.fixture
def count() -> dict[str, int]:
    """How many of each."""
    if LONG:
        return {"kills": 1000, "cuts": 50, "completions": 100_000, "delivery kills": 120}
    return {"kills": 40, "cuts": 3, "completions": 1500, "delivery kills": 6}


_LINE = pytest.StashKey[str]()


@pytest.fixture
def last_line(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Takes what is to be printed after everything else."""
    return lambda line: pytestconfig.stash.__setitem__(_LINE, line)


def pytest_unconfigure(config: pytest.Config) -> None:
    if line := config.stash.get(_LINE, None):
        print(line)


@pytest.fixture
def chance() -> random.Random:
    """Seeded by ``SEED``, else anew; the seed is printed, to be able to do it again."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nSEED={seed}")
    return random.Random(seed)


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server
