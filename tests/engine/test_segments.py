"""One file by several connections, and what servers do to that."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from pathlib import Path

import pytest
from support.identical import Arrived
from support.ranges import Ranged, on_segments

from jupyter_bgdl.engine.protocol import Checkpoint, Failed, Headers, Part, Progress, Ready

MIB = 1 << 20
CONNECTIONS = 6


@pytest.fixture(scope="module")
def large() -> bytes:
    """So much that one connection to a slow server is not enough."""
    return random.Random(3).randbytes(24 * MIB + 321)


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    return Arrived(Path(report.part.path).read_bytes())


def fetch(bench, server, **fields):
    return bench.fetch(server.url, connections=CONNECTIONS, **fields)


def size_of(extents) -> int:
    return sum(end - start for start, end in extents)


def test_a_limit_per_connection_gets_all_connections(bench, server, large):
    server.answer = site = Ranged(large, rate=1.5e6)
    digest = "sha256:" + hashlib.sha256(large).hexdigest()
    ready = fetch(bench, server, checksum=digest)
    assert read(ready) == large
    assert ready.digest == digest
    assert site.most >= CONNECTIONS, "it may not have noticed at once that some were closed"
    assert all(x.headers["if-range"] == '"one"' for x in server.requests[1:])
    starts = [start for start, _ in site.spans]
    assert len(set(starts)) == len(starts), "no byte is asked for twice"


def test_one_connection_if_no_more_may_be(bench, server, large):
    server.answer = site = Ranged(large, rate=20e6)
    assert read(bench.fetch(server.url, connections=1)) == large
    assert site.spans == [(0, len(large))]


@pytest.mark.parametrize("what", ["small", "no_validator", "weak", "refused"])
def test_what_is_not_worth_or_not_safe_to_be_split(bench, server, large, what):
    body = large[: 8 * MIB] if what == "small" else large
    etag = {"no_validator": None, "weak": 'W/"one"'}.get(what, '"one"')
    extra = {"Accept_Ranges": "none"} if what == "refused" else {}
    server.answer = site = Ranged(body, etag=etag, rate=20e6, extra=extra)
    assert read(fetch(bench, server)) == body
    assert site.most == 1


@pytest.mark.parametrize("at", [0, 1, MIB // 2, -1], ids=["start", "first", "middle", "last"])
def test_N1_a_reset_in_every_segment(bench, server, large, at):
    site = Ranged(large)
    resets = []

    def bad(x):
        with site.counted():
            start, end = site.begin(x)
            if len(resets) < 8:
                resets.append(start)
                site.stream(x, start, start + at % (end - start))
                x.reset()
            else:
                site.stream(x, start, end)

    server.answer = on_segments(site, bad)
    end = fetch(bench, server)
    while isinstance(end, Failed) and len(server.requests) < 60:
        assert end.code in ("connection", "truncated")
        end = bench.resume(server.url, connections=CONNECTIONS)
    assert read(end) == large
    assert len(resets) >= CONNECTIONS - 1


def test_S1_S27_ranges_ignored_on_segments(bench, server, large):
    site = Ranged(large, rate=10e6)
    server.answer = on_segments(site, lambda x: x.reply(body=large, ETag='"one"'))
    assert read(fetch(bench, server)) == large
    assert len(server.requests) > 1
    assert len(bench.of(Headers)) == 1, "the first connection brought it all"


@pytest.mark.parametrize("how", ["503", "429", "reset", "close"])
def test_S27_a_second_connection_is_refused(bench, server, large, how):
    site = Ranged(large, rate=10e6)

    def answer(x):
        with site.counted() as count:
            if count == 1:
                site.stream(x, *site.begin(x))
            elif how == "reset":
                x.reset()
            elif how != "close":
                x.reply(f"{how} Busy", Retry_After=60)

    server.answer = answer
    assert read(fetch(bench, server)) == large
    assert 1 < len(server.requests) < 24  # each that got no answer was asked for twice


@pytest.mark.parametrize(
    "changes",
    [
        {"Content_Range": "bytes 7-{last}/{total}"},
        {"Content_Range": "bytes {start}-{last}/99999999"},
        {"Content_Range": "bytes {start}-{last}/*"},
        {"Content_Range": "nonsense"},
        {"Content_Range": "bytes {start}-99999999/{total}"},
        {"Content_Type": "multipart/byteranges; boundary=b", "Content_Range": ""},
        {"Content_Encoding": "gzip"},
        {"ETag": '"two"'},
        {"ETag": ""},
    ],
    ids=["S3_offset", "S4_total", "S4_unknown", "S4_none", "S6_end", "S8", "S15", "S9", "S10"],
)
def test_a_206_that_is_not_what_was_asked_for(bench, server, large, changes):
    site, wrong = Ranged(large, rate=10e6), Ranged(large[::-1])

    def bad(x):
        start, end = site.span(x)
        names = {"start": start, "last": end - 1, "total": len(large)}
        wrong.begin(x, **{name: value.format(**names) for name, value in changes.items()})
        wrong.stream(x, start, end)

    server.answer = on_segments(site, bad)
    assert read(fetch(bench, server)) == large
    assert len(server.requests) > 1


def test_S5_206_shorter_than_asked(bench, server, large):
    site = Ranged(large)

    def short(x):
        with site.counted():
            start, end = site.span(x)
            end = min(end, start + MIB)
            content_range = f"bytes {start}-{end - 1}/{len(large)}"
            site.begin(x, Content_Range=content_range, Content_Length=end - start)
            site.stream(x, start, end)

    server.answer = on_segments(site, short)
    assert read(fetch(bench, server)) == large
    assert site.most > 1


def test_S6_206_longer_than_asked_is_clipped(bench, server, large):
    site = Ranged(large)

    def longer(x):
        with site.counted():
            start, _ = site.span(x)
            content_range = f"bytes {start}-{len(large) - 1}/{len(large)}"
            site.begin(x, Content_Range=content_range, Content_Length=len(large) - start)
            site.stream(x, start, len(large))

    server.answer = on_segments(site, longer)
    assert read(fetch(bench, server)) == large
    assert site.most > 1


@pytest.mark.parametrize("heeds", [True, False], ids=["S9", "S10_S14"])
def test_S9_S10_S14_changed_in_the_middle(bench, server, large, heeds):
    """From some request on there is another version, and a stream of the old one breaks off."""
    old, new = Ranged(large), Ranged(large[::-1], etag='"two"', heeds_if_range=heeds, rate=20e6)

    def answer(x):
        if x.number > 3:
            new(x)
        else:
            start, _ = old.begin(x)
            old.stream(x, start, start + 2 * MIB)
            x.reset()

    server.answer = answer
    end = fetch(bench, server)
    while isinstance(end, Failed) and len(server.requests) < 30:
        end = bench.resume(server.url, connections=CONNECTIONS)
    assert read(end) == large[::-1]


@pytest.mark.parametrize("length", [0, 1, 15])
def test_S24_more_connections_than_bytes(bench, server, length):
    server.answer = Ranged(b"x" * length)
    assert read(bench.fetch(server.url, connections=16)) == b"x" * length
    assert len(server.requests) == 1


def test_S25_beyond_four_gibibytes(bench, server, tmp_path):
    """The rest of a part whose beginning is a hole of the file system."""
    begin, rest = (1 << 32) + 5, b"the rest"
    path = tmp_path / "old.part"
    path.touch()
    os.truncate(path, begin)
    total = begin + len(rest)
    server.answer = lambda x: x.reply(
        "206 Partial Content",
        rest,
        Content_Range=f"bytes {begin}-{total - 1}/{total}",
        ETag='"one"',
    )
    status = path.stat()
    part = Part(str(path), status.st_dev, status.st_ino)
    fields = {"part": part, "extents": [(0, begin)], "validator": '"one"', "total": total}
    ready = fetch(bench, server, **fields)
    assert isinstance(ready, Ready), ready
    assert ready.size == total
    assert server.requests[0].headers["range"] == f"bytes={begin}-"
    with path.open("rb") as file:
        file.seek(begin)
        assert file.read() == rest


@pytest.mark.parametrize("length", [2**63, 2**64 + 3, 10**25])
def test_S25_a_length_that_no_file_can_have(bench, server, length):
    server.answer = lambda x: (x.head(Content_Length=length, ETag='"one"'), x.send(b"abc"))
    assert fetch(bench, server).code == "protocol"
    assert not bench.folder.exists()


@pytest.mark.parametrize("other", ["no_ranges", "other_file"])
def test_R7_segments_are_redirected_elsewhere(bench, server, make_server, large, other):
    good, bad = make_server(), make_server()
    good.answer = Ranged(large, rate=10e6)
    wrong = Ranged(large[::-1], etag='"two"')
    bad.answer = wrong if other == "other_file" else lambda x: x.reply(body=large, ETag='"one"')
    server.answer = on_segments(
        lambda x: x.reply("302 Found", Location=good.url),
        lambda x: x.reply("302 Found", Location=bad.url),
    )
    assert read(fetch(bench, server)) == large
    assert bad.requests


def test_a_dead_segment_is_handed_on(bench, server, large):
    site = Ranged(large)
    released = threading.Event()

    def answer(x):
        with site.counted():
            start, end = site.begin(x)
            if x.number == 3:
                site.stream(x, start, start + 100_000)
                released.wait(60)
            else:
                site.stream(x, start, end)

    server.answer = answer
    assert read(fetch(bench, server)) == large
    assert site.most > 2
    released.set()


def test_a_connection_that_never_answers_holds_nobody_up(bench, server, large):
    site = Ranged(large, rate=10e6)
    released = threading.Event()
    server.answer = on_segments(site, lambda x: released.wait(60))
    assert read(fetch(bench, server)) == large
    assert len(server.requests) > 1
    released.set()


def test_N9_D13_stopped_and_resumed_with_several_ranges(bench, server, large):
    server.answer = site = Ranged(large)
    unit = bench.submit(server.url, connections=CONNECTIONS)
    bench.wait(lambda r: isinstance(r, Progress) and r.received > 8 * MIB)
    bench.engine.stop([unit.attempt])
    failed = bench.end_of(unit.attempt)
    assert failed.code == "stopped"
    assert len(failed.extents) > 1
    part = Path(bench.kept()["part"].path)
    data = part.read_bytes()
    for start, end in failed.extents:
        assert data[start:end] == large[start:end]
    # As if its size were allocated ahead: only the extents say what is there.
    os.truncate(part, len(large))
    site.spans.clear()
    ready = bench.resume(server.url, connections=CONNECTIONS)
    assert read(ready) == large
    assert ready.part.path == str(part)
    holes = size_of([(0, len(large))]) - size_of(failed.extents)
    firsts = {start for start, _ in site.spans}
    assert failed.extents[0][1] in firsts
    assert all(not start <= first < end for first in firsts for start, end in failed.extents)
    assert 0 < holes < len(large)


def test_D12_nothing_is_allocated_ahead(bench, server, large):
    server.answer = Ranged(large)
    unit = bench.submit(server.url, connections=CONNECTIONS)
    bench.wait(lambda r: isinstance(r, Checkpoint) and len(r.extents) > 1)
    bench.engine.stop([unit.attempt])
    failed = bench.end_of(unit.attempt)
    path = Path(bench.kept()["part"].path)
    assert path.stat().st_size == failed.extents[-1][1]
    assert path.stat().st_blocks * 512 <= size_of(failed.extents) + CONNECTIONS * MIB


def test_a_renumbered_device_is_no_other_part(bench, server, large):
    server.answer = site = Ranged(large, rate=20e6)
    unit = bench.submit(server.url)
    bench.wait(lambda r: isinstance(r, Checkpoint))
    bench.engine.stop([unit.attempt])
    failed = bench.end_of(unit.attempt)
    part = bench.kept()["part"]
    site.spans.clear()
    ready = bench.resume(server.url, part=Part(part.path, part.device + 1, part.inode))
    assert read(ready) == large
    assert ready.part == part
    assert site.spans == [(failed.extents[0][1], len(large))]


def test_queued_fetches_come_before_segments(own_bench, server, large):
    """The first one has all connections of its group; the second one gets one soon."""
    server.answer = Ranged(large, rate=1.5e6)
    first = own_bench.submit(server.url, connections=4)
    server.wait_for_requests(4)
    second = own_bench.submit(server.at("/other.bin"), connections=4)
    own_bench.wait(lambda r: isinstance(r, Headers) and r.attempt == second.attempt, timeout=5)
    own_bench.engine.stop([first.attempt, second.attempt])
    own_bench.end_of(first.attempt)
    own_bench.end_of(second.attempt)
