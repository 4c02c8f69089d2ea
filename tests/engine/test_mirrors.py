"""One file from several addresses, and addresses that have another one."""

from __future__ import annotations

import hashlib
import random
import socket
from pathlib import Path

import pytest
from support.identical import Arrived
from support.ranges import Ranged

from jupyter_bgdl.engine.protocol import Failed, Headers, Progress, Ready

MIB = 1 << 20


@pytest.fixture(scope="module")
def large() -> bytes:
    return random.Random(5).randbytes(24 * MIB + 321)


@pytest.fixture
def mirror(make_server):
    return make_server()


@pytest.fixture
def dead() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/data.bin"


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    return Arrived(Path(report.part.path).read_bytes())


def test_segments_come_from_all_addresses(bench, server, mirror, large):
    server.answer = Ranged(large)
    mirror.answer = copy = Ranged(large, etag='"mirror"')
    ready = bench.fetch(server.url, mirrors=[mirror.url], connections=2)
    assert read(ready) == large
    assert ready.notes == []
    assert len(copy.spans) > 1
    sample, *segments = mirror.requests
    assert "if-range" not in sample.headers
    assert {x.headers["if-range"] for x in segments} == {'"mirror"'}
    assert bench.of(Headers)[0].validator == '"one"'


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("bytes", "its bytes differ"),
        ("length", "bytes, not"),
        ("no_version", "does not say which version"),
        ("status", "404"),
        ("nowhere", "refused"),
    ],
)
def test_the_odd_one_is_dropped_and_named(bench, server, mirror, dead, large, kind, why):
    server.answer = Ranged(large, rate=8e6)
    mirror.answer = {
        "bytes": Ranged(large[::-1]),
        "length": Ranged(large[:-1]),
        "no_version": Ranged(large, etag=None),
    }.get(kind, lambda x: x.reply("404 Not Found"))
    url = dead if kind == "nowhere" else mirror.at("/copy.bin?token=secret")
    ready = bench.fetch(server.url, mirrors=[url], connections=3)
    assert read(ready) == large
    [note] = ready.notes
    assert note.startswith("Mirror 1 (")
    assert why in note
    assert "secret" not in note


def test_what_changed_at_a_mirror_is_not_mixed_in(bench, server, mirror, large):
    """It gave the right sample, and another file after that."""
    server.answer = Ranged(large, rate=6e6)
    good, bad = Ranged(large, etag='"m"'), Ranged(large[::-1], etag='"n"', heeds_if_range=False)
    mirror.answer = lambda x: (good if x.number == 1 else bad)(x)
    ready = bench.fetch(server.url, mirrors=[mirror.url], connections=2)
    assert read(ready) == large
    assert "Mirror 1" in ready.notes[0]


def test_a_mirror_that_differs_where_nobody_looked(bench, server, mirror, large):
    """Only the checksum tells; then one address has to do."""
    end = len(large) - MIB
    server.answer = Ranged(large, rate=6e6)
    mirror.answer = Ranged(large[:end] + bytes(MIB + 321)[: len(large) - end], rate=6e6)
    checksum = "sha256:" + hashlib.sha256(large).hexdigest()
    ready = bench.fetch(server.url, mirrors=[mirror.url], connections=2, checksum=checksum)
    assert read(ready) == large
    assert mirror.requests


@pytest.mark.parametrize("kind", ["refused", "404", "503", "page", "truncated"])
def test_the_first_address_fails(bench, server, mirror, dead, large, kind):
    body = large[: 2 * MIB]
    if kind == "truncated":
        server.answer = lambda x: (x.head(Content_Length=len(body), ETag='"a"'), x.send(body[:MIB]))
    elif kind == "page":
        server.answer = lambda x: x.reply(body=b"<html>", Content_Type="text/html")
    else:
        server.answer = lambda x: x.reply(f"{kind} Sorry")
    mirror.answer = site = Ranged(body, rate=20e6)
    url = dead if kind == "refused" else server.url
    ready = bench.fetch(url, mirrors=[mirror.url])
    assert read(ready) == body
    assert "The address itself" in ready.notes[0]
    if kind == "truncated":
        assert (MIB, len(body)) in site.spans, "it goes on, and does not start again"


def test_all_addresses_fail(bench, server, mirror):
    mirror.answer = lambda x: x.reply("410 Gone")
    failed = bench.fetch(server.url, mirrors=[mirror.url])
    assert isinstance(failed, Failed)
    assert failed.status_code == 404, "what the address itself says counts"
    assert not bench.folder.exists()


def test_a_part_of_a_mirror_goes_on_from_it(bench, server, mirror, large):
    """The address itself is there again, with a file of its own under the same ETag."""
    server.answer = lambda x: x.reply("503 Busy")
    mirror.answer = site = Ranged(large, etag='"1"', rate=8e6)
    unit = bench.submit(server.url, mirrors=[mirror.url])
    bench.wait(lambda r: isinstance(r, Progress) and r.received > 4 * MIB)
    bench.engine.stop([unit.attempt])
    begin = bench.end_of(unit.attempt).extents[0][1]
    server.answer = Ranged(large[::-1], etag='"1"')
    site.spans.clear()
    ready = bench.resume(server.url, mirrors=[mirror.url])
    assert read(ready) == large
    assert site.spans[0] == (begin, len(large))
    assert len(server.requests) == 1


def test_T10_what_was_given_for_one_origin_stays_there(bench, server, mirror, large):
    given = {"X-Api-Key": "canary", "Authorization": "Bearer canary", "Cookie": "a=canary"}
    server.answer = lambda x: x.reply("503 Busy")
    mirror.answer = Ranged(large[:MIB])
    url = server.url.replace("://", "://me:canary@")
    assert read(bench.fetch(url, mirrors=[mirror.url], headers=given)) == large[:MIB]
    assert server.requests[0].headers["x-api-key"] == "canary"
    assert "canary" not in str(mirror.requests[0].headers)


def test_mirrors_at_the_same_origin_get_what_was_given(bench, server, large):
    good = Ranged(large[:MIB])
    server.answer = lambda x: good(x) if x.target == "/b" else x.reply("404 Not Found")
    ready = bench.fetch(server.url, mirrors=[server.at("/b")], headers={"X-Api-Key": "key"})
    assert read(ready) == large[:MIB]
    assert server.requests[1].headers["x-api-key"] == "key"
