"""Digests that a server tells, and what becomes of bytes that don't fit them. Row N12."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from support.identical import Arrived

from jupyter_bgdl.engine.integrity import told_digest
from jupyter_bgdl.engine.protocol import Ready

HALF = 1_500_000
HELLO = b'{"hello": "world"}\n'
"""With the example digests of RFC 9530, appendix B.1."""
RFC_256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
SHA256 = "sha256:" + hashlib.sha256(HELLO).hexdigest()
SHA512 = "sha512:" + hashlib.sha512(HELLO).hexdigest()


def field(body: bytes, algorithm: str = "sha256") -> str:
    digest = base64.b64encode(hashlib.new(algorithm, body).digest()).decode()
    return f"{algorithm.replace('sha', 'sha-')}=:{digest}:"


BOTH = f"{field(HELLO)}, {field(HELLO, 'sha512')}"


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (RFC_256, SHA256),
        (field(HELLO, "sha512"), SHA512),
        (BOTH, SHA512),
        (f"  {field(HELLO)}  ,\t{field(HELLO, 'sha512')} ", SHA512),
        (f'id-sha-1=:YQ==:, {RFC_256};q=1;x="a,b";flag, md5=:YQ==:', SHA256),
        (f'unixsum=30637, other="a \\" b, c", token=abc/d, alone, {RFC_256}', SHA256),
        (f"sha-256=:YQ==:, {RFC_256}", SHA256),
        (f"{RFC_256}, sha-256=:YQ==:", None),
        (f"{RFC_256}, sha-256", None),
        ("sha-256=:YQ==:", None),
        ("md5=:YQ==:", None),
        ("", None),
        (f"{RFC_256},", None),
        (f"{RFC_256}, ,", None),
        (f"{RFC_256} nonsense", None),
        (f"{RFC_256}, A=1", None),
        (RFC_256.rstrip(":"), None),
        (RFC_256.replace("=:RK", "=RK"), None),
        ("sha-256=:!!!!:", None),
        ("sha-256=:abc:", None),
        ("SHA-256=" + RFC_256[8:], None),
    ],
)
def test_the_strongest_that_is_known_counts(value, digest):
    assert told_digest(206, {"repr-digest": value}) == digest


def test_the_digest_of_a_content_counts_only_where_that_is_all():
    assert told_digest(200, {"content-digest": RFC_256}) == SHA256
    assert told_digest(206, {"content-digest": RFC_256}) is None
    assert told_digest(200, {"content-digest": RFC_256, "repr-digest": BOTH}) == SHA512
    assert told_digest(200, {}) is None


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    return Arrived(Path(report.part.path).read_bytes())


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_N12_a_flipped_bit_is_found_by_what_the_server_told(bench, server, body, name, algorithm):
    def answer(x):
        sent = bytearray(body)
        if x.number == 1:
            sent[HALF] ^= 4
        x.reply(body=bytes(sent), ETag='"one"', **{name: field(body, algorithm)})

    server.answer = answer
    failed = bench.fetch(server.url)
    assert failed.code == "checksum_mismatch"
    assert failed.extents == []
    ready = bench.fetch(server.url)
    assert read(ready) == body
    assert ready.digest == f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def test_N12_it_is_of_the_whole_also_where_only_the_rest_is_sent(bench, server, resource, body):
    good = resource(body, stop_at=HALF)
    told = field(body)

    def answer(x):
        head = x.head
        x.head = lambda status="200 OK", **headers: head(status, Repr_Digest=told, **headers)
        good(x)

    server.answer = answer
    assert bench.fetch(server.url).code == "truncated"
    ready = bench.resume(server.url)
    assert read(ready) == body
    assert ready.digest == "sha256:" + hashlib.sha256(body).hexdigest()
    good.stop_at, told = None, field(body[::-1])
    assert bench.fetch(server.url).code == "checksum_mismatch"


def test_a_checksum_that_was_given_is_what_counts(bench, server, body):
    server.answer = lambda x: x.reply(body=body, Repr_Digest=field(b"another"))
    given = "md5:" + hashlib.md5(body).hexdigest()
    ready = bench.fetch(server.url, checksum=given)
    assert read(ready) == body
    assert ready.digest == given


def test_N4_a_digest_proves_a_length_that_nothing_else_does(bench, server, body):
    server.answer = lambda x: (x.head(Repr_Digest=field(body)), x.send(body[:HALF]))
    assert bench.fetch(server.url).code == "checksum_mismatch"


def test_an_error_page_is_not_held_to_a_digest(bench, server):
    server.answer = lambda x: x.reply("404 Not Found", b"gone", Repr_Digest=field(b"another"))
    assert read(bench.fetch(server.url, error_bodies=True)) == b"gone"
