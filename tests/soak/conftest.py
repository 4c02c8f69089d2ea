"""How long the soak is: ``make soak`` runs all of it, ``make test`` the short form."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from support.fileserver import FileServer

LONG = os.environ.get("SOAK") == "long"


@pytest.fixture
def count() -> dict[str, int]:
    """How many of each."""
    return {"kills": 1000, "cuts": 50} if LONG else {"kills": 40, "cuts": 3}


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
