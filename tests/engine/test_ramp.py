"""How many connections a server is worth, by how it answers to more of them."""

from __future__ import annotations

import pytest

from jupyter_bgdl.engine.ramp import Ramp


def run(rate_of, most=16, size=2e9, seconds=20.0, step=0.05):
    """The highest and the last number wanted, where ``n`` connections bring ``rate_of(n)``."""
    ramp, now, received, highest, wanted = Ramp(most, 0.0), 0.0, 0.0, 1, 1
    while now < seconds and received < size:
        now += step
        received += rate_of(wanted) * step
        wanted = ramp.look(now, int(received), int(size - received), wanted)
        highest = max(highest, wanted)
    return highest, wanted, now


def test_a_limit_per_connection():
    highest, wanted, _ = run(lambda n: 10e6 * n)
    assert (highest, wanted) == (16, 16)


def test_it_takes_less_than_a_second():
    ramp, now, received, wanted = Ramp(16, 0.0), 0.0, 0.0, 1
    while wanted < 16:
        now += 0.05
        received += wanted * 10e6 * 0.05
        wanted = ramp.look(now, int(received), 10**9, wanted)
    assert now <= 0.6


@pytest.mark.parametrize("most", [2, 6, 16])
def test_never_more_than_allowed(most):
    assert run(lambda n: 10e6 * n, most)[:2] == (most, most)


def test_a_link_that_more_make_slower_is_left_to_one():
    _, wanted, _ = run(lambda n: 100e6 / n**0.1)
    assert wanted == 1


def test_a_link_that_is_full_keeps_what_filled_it():
    highest, wanted, _ = run(lambda n: min(40e6, 10e6 * n))
    assert highest == 16
    assert wanted in (4, 16)


def test_what_is_over_in_a_moment_gets_no_more():
    assert run(lambda n: 2e9, size=2e9)[:2] == (1, 1)


def test_connections_that_never_deliver_are_not_waited_for():
    ramp, now = Ramp(16, 0.0), 0.0
    while now < 5:
        now += 0.05
        wanted = ramp.look(now, int(now * 1e6), 10**9, working=1)
    assert wanted == 1
