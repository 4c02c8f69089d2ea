"""The bandwidth limit, as an administrator writes it."""

from __future__ import annotations

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_bgdl.server.bandwidth import bandwidth
from jupyter_bgdl.server.extension import BackgroundTransfers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (1, 1),
        (2.5e6, 2_500_000),
        ("1000000", 1_000_000),
        ("20MB/s", 20_000_000),
        ("20 mb/s", 20_000_000),
        ("1.5 GiB/s", 1_610_612_736),
        ("64kB", 64_000),
        ("64 Ki", 65_536),
        ("5Mps", 5_000_000),
    ],
)
def test_a_rate(given: object, expected: int | None) -> None:
    assert bandwidth(given) == expected


@pytest.mark.parametrize(
    "given",
    ["", "fast", "20 MB/h", "-1", 0, -5, True, "0", "1e400", "1iB/s", "20,5 MB/s", 1e30, [1]],
)
def test_a_rate_that_does_not_parse_names_the_trait_and_the_form(given: object) -> None:
    config = Config({"BackgroundTransfers": {"bandwidth_limit": given}})
    with pytest.raises(TraitError, match=r"BackgroundTransfers\.bandwidth_limit.*20MB/s"):
        BackgroundTransfers(config=config)


def test_it_is_read_from_the_command_line() -> None:
    app = BackgroundTransfers()
    app.parse_command_line(["--BackgroundTransfers.bandwidth_limit=20MB/s"])
    assert app.bandwidth_limit == 20_000_000
