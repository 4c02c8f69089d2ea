"""Who may open one more connection."""

from __future__ import annotations

import threading

import pytest

from jupyter_bgdl.engine.budget import Budget


@pytest.fixture
def budget():
    return Budget(per_host=4)


def test_a_group_has_its_own_limit_per_host(budget):
    assert budget.admit(1, "a", 2)
    assert budget.take(1, "a", 2)
    assert not budget.take(1, "a", 2)
    assert not budget.admit(1, "a", 2)
    assert budget.admit(1, "b", 2)
    assert budget.admit(2, "a", 2)


def test_the_host_has_one_over_all_groups(budget):
    assert [budget.take(group, "a", 9) for group in range(5)] == [True] * 4 + [False]
    budget.give(0, "a")
    assert budget.admit(7, "a", 9)


def test_a_lowered_limit_holds_from_the_next_one_on(budget):
    assert all(budget.take(1, "a", 9) for _ in range(3))
    budget.configure(2)
    assert not budget.take(1, "a", 9)
    budget.give(1, "a")
    assert not budget.admit(1, "a", 9)
    budget.give(1, "a")
    assert budget.admit(1, "a", 9)


def test_extra_connections_stand_back_for_a_queued_fetch_of_the_group(budget):
    assert budget.admit(1, "a", 3)
    budget.queue(1, "a")
    assert budget.is_wanted(1, "a")
    assert not budget.take(1, "a", 3)
    assert budget.take(1, "b", 3)
    assert budget.admit(1, "a", 3)
    budget.leave(1, "a")
    assert not budget.is_wanted(1, "a")
    assert budget.take(1, "a", 3)


def test_of_another_group_only_when_the_host_is_full(budget):
    assert budget.admit(1, "a", 9)
    budget.queue(2, "a")  # its own group's limit holds it, not this one
    assert budget.take(1, "a", 9)
    assert budget.take(1, "a", 9)
    assert not budget.is_wanted(1, "a")
    assert budget.take(1, "a", 9)
    assert budget.is_wanted(1, "a")


def test_threads_never_go_beyond_it(budget):
    most, held, lock = 0, 0, threading.Lock()

    def work():
        nonlocal most, held
        for _ in range(2000):
            if budget.take(1, "a", 3):
                with lock:
                    held += 1
                    most = max(most, held)
                with lock:
                    held -= 1
                budget.give(1, "a")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 3
    assert [budget.take(1, "a", 3) for _ in range(4)] == [True, True, True, False]
