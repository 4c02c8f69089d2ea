"""Who stands in line, and who is let go."""

from __future__ import annotations

from jupyter_bgdl.engine.budget import Budget
from jupyter_bgdl.engine.line import SOON, Line

HERE, THERE = (1, "here"), (2, "there")


class Clock:
    """Each look at it is an hour later: whoever is out waits for a server."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 3600.0
        return self.now


def line(most: int = 2, per_host: int = 16) -> Line[str]:
    return Line(Budget(per_host), most, Clock())


def test_no_more_than_may_move_are_let_go():
    queue = line(most=2)
    for name in "abc":
        queue.join(name, HERE, limit=9)
    assert queue.admit() == ["a", "b"]
    assert queue.admit() == []
    queue.done("a", HERE)
    assert queue.admit() == ["c"]


def test_a_group_keeps_to_its_connections_and_another_goes_past():
    queue = line(most=3)
    for name in "abc":
        queue.join(name, HERE, limit=1)
    queue.join("z", THERE, limit=1)
    assert queue.admit() == ["a", "z"]


def test_lines_are_served_in_turn():
    queue = line(most=3)
    for name in "abc":
        queue.join(name, HERE, limit=9)
    queue.join("z", THERE, limit=9)
    assert queue.admit() == ["a", "z", "b"]


def test_who_left_is_not_let_go():
    queue = line()
    queue.join("a", HERE, limit=1)
    queue.join("b", HERE, limit=1)
    assert queue.leave("a", HERE)
    assert not queue.leave("a", HERE)
    assert queue.admit() == ["b"]
    assert not queue.leave("b", HERE)


def test_more_are_let_go_once_the_server_is_waited_for():
    now = 0.0
    queue = Line[str](Budget(16), 16, lambda: now)
    for name in "abcd":
        queue.join(name, HERE, limit=16)
    assert queue.admit() == ["a"]
    assert queue.admit() == []
    assert queue.is_holding
    now += 2 * SOON
    assert queue.admit() == ["b", "c", "d"]
    assert not queue.is_holding


def test_who_waited_for_the_server_lets_more_than_one_follow():
    now = 0.0
    queue = Line[str](Budget(16), 16, lambda: now)
    for name in "abcd":
        queue.join(name, HERE, limit=2)
    assert queue.admit() == ["a"]
    now += 2 * SOON
    queue.done("a", HERE)
    assert queue.admit() == ["b", "c"]


def test_quick_ones_go_one_after_the_other_and_hold_up_no_other_server():
    now = 0.0
    queue = Line[str](Budget(16), 16, lambda: now)
    for name in "abc":
        queue.join(name, HERE, limit=16)
    queue.join("z", THERE, limit=16)
    assert queue.admit() == ["a", "z"]
    now += SOON / 2
    queue.done("a", HERE)
    assert queue.admit() == ["b"]
    assert queue.admit() == []


def test_a_lower_limit_calls_nobody_back():
    queue = line(most=2)
    for name in "abc":
        queue.join(name, HERE, limit=9)
    assert queue.admit() == ["a", "b"]
    queue.configure(1)
    queue.done("a", HERE)
    assert queue.admit() == []
    queue.done("b", HERE)
    assert queue.admit() == ["c"]
