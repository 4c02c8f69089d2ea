"""Dates, as notebooks give them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.kernel.spec import moment_of


def test_an_aware_date_and_a_span() -> None:
    assert moment_of(None) is None
    assert moment_of(datetime(2030, 1, 1, tzinfo=UTC)) == 1893456000.0
    moment = moment_of(timedelta(hours=1))
    assert moment is not None
    assert abs(moment - time.time() - 3600) < 5


def test_a_date_without_a_zone_shows_how_to_give_it_one() -> None:
    with pytest.raises(InvalidRequest, match=r"datetime\(2030, 1, 1, 0, 0\)\.astimezone\(\)"):
        moment_of(datetime(2030, 1, 1))
