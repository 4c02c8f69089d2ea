"""Who fetches which bytes."""

from __future__ import annotations

import itertools
import random
import threading

import pytest

from jupyter_bgdl.engine.extents import RangeSet
from jupyter_bgdl.engine.part import PartFile
from jupyter_bgdl.engine.plan import Plan

MIB = 1 << 20


@pytest.fixture
def part(tmp_path):
    part = PartFile.create(str(tmp_path), ["part"])
    yield part
    part.close()


def test_ranges_against_a_set_of_numbers():
    numbers = random.Random(1)
    for _ in range(300):
        ranges, model = RangeSet(), set()
        for _ in range(numbers.randint(1, 12)):
            start = numbers.randint(0, 40)
            end = start + numbers.randint(0, 12)
            ranges.add(start, end)
            model |= set(range(start, end))
        found = ranges.extents
        assert {n for start, end in found for n in range(start, end)} == model
        assert all(a[1] < b[0] for a, b in itertools.pairwise(found))
        assert ranges.size == len(model)
        assert ranges.end == max(model, default=-1) + 1
        assert ranges.prefix == next(n for n in range(99) if n not in model)
        missing = {n for start, end in ranges.holes(30) for n in range(start, end)}
        assert missing == set(range(30)) - model


def test_a_segment_is_shared_in_the_middle(part):
    plan = Plan(part, 16 * MIB)
    first = plan.begin(0, 16 * MIB)
    second = plan.take()
    assert (first.end, second.at, second.end) == (8 * MIB, 8 * MIB, 16 * MIB)


def test_the_slow_one_keeps_less(part):
    plan = Plan(part, 16 * MIB)
    slow = plan.begin(0, 16 * MIB)
    fast = plan.take()
    assert plan.confirm(fast, 16 * MIB)
    slow.pace, fast.pace = 1e6, 9e6
    fast.at = fast.end
    plan.give_back(fast)
    assert plan.take().at < 2 * MIB + slow.at


def test_a_stream_takes_back_what_the_server_did_not_agree_to(part):
    plan = Plan(part, 16 * MIB)
    first = plan.begin(0, 16 * MIB)
    second = plan.take()
    first.at = first.end
    assert first.left() == 8 * MIB
    assert not plan.confirm(second, 16 * MIB)
    first.at = 16 * MIB
    assert first.left() == 0
    plan.give_back(second)
    plan.give_back(first)
    assert plan.is_done


def test_a_stream_goes_on_with_what_another_one_left(part):
    plan = Plan(part, 16 * MIB)
    first = plan.begin(0, 16 * MIB)
    second = plan.take()
    assert plan.confirm(second, 16 * MIB)
    second.at += MIB
    first.at = first.end
    assert first.left() == 0, "another one fetches it"
    plan.give_back(second)
    assert first.left() == 0, "there is a range between that is there already"
    assert plan.take().at == 9 * MIB


def test_a_response_that_ends_earlier_takes_no_more(part):
    plan = Plan(part, 16 * MIB)
    first = plan.begin(0, 8 * MIB)
    plan.take()
    first.at = first.end
    assert first.left() == 0


def test_nothing_is_given_out_once_it_is_closed(part):
    plan = Plan(part, 16 * MIB)
    segment = plan.take()
    waiting = threading.Thread(target=lambda: [plan.take() for _ in range(9)])
    waiting.start()
    plan.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert not plan.confirm(segment, 16 * MIB)
    assert plan.take() is None


def test_what_is_there_is_not_fetched_again(part):
    part.write(b"x" * MIB, 0)
    part.write(b"x" * MIB, 2 * MIB)
    plan = Plan(part, 4 * MIB)
    assert (plan.left, part.received, part.frontier) == (2 * MIB, 2 * MIB, MIB)
    taken = [plan.take(), plan.take()]
    assert [(s.at, s.end) for s in taken] == [(MIB, 2 * MIB), (3 * MIB, 4 * MIB)]
    for segment in taken:
        segment.write(b"x" * MIB)
        plan.give_back(segment)
    assert plan.take() is None
    assert part.written == [(0, 4 * MIB)]
