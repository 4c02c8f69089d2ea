"""Who stands in line, and who is let go."""

from __future__ import annotations

from jupyter_bgdl.engine.budget import Budget
from jupyter_bgdl.engine.line import Line

HERE, THERE = (1, "here"), (2, "there")


def line(most: int = 2, per_host: int = 16) -> Line[str]:
    return Line(Budget(per_host), most)


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


def test_more_are_let_go_once_the_network_is_waited_for():
    queue = line(most=16)
    for number in range(9):
        queue.join(str(number), HERE, limit=16)
    few = queue.admit()
    assert 0 < len(few) < 9
    rest: list[str] = []
    while len(rest) < 9 - len(few):  # as the worker asks now and then
        rest += queue.admit()
    assert few + rest == [str(number) for number in range(9)]


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
