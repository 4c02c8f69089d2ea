"""What a server can do wrong. S-rows of the fault table."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from support.identical import Arrived

from jupyter_bgdl.engine.protocol import Failed, Headers, Ready

MODIFIED = "Thu, 01 Jan 2026 10:00:00 GMT"
HALF = 1_500_000


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    data = Path(report.part.path).read_bytes()
    assert len(data) == report.size
    return Arrived(data)


@pytest.fixture
def half(bench, server, resource, body):
    """A first attempt got half of it and was cut off."""
    server.answer = resource(body, stop_at=HALF)
    failed = bench.fetch(server.url)
    assert isinstance(failed, Failed)
    assert failed.code == "truncated"
    assert failed.extents == [(0, HALF)]
    return server


def test_a_whole_file(bench, server, resource, body):
    server.answer = resource(body)
    digest = hashlib.sha256(body).hexdigest()
    ready = bench.fetch(server.url, checksum=f"sha256:{digest}", size=len(body))
    assert read(ready) == body
    assert ready.digest == f"sha256:{digest}"
    assert ready.name == "data.bin"
    [headers] = bench.of(Headers)
    assert (headers.status_code, headers.total, headers.received) == (200, len(body), 0)
    assert headers.validator == '"one"'
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert "range" not in server.requests[0].headers


def test_resumed_with_if_range(bench, half, body):
    ready = bench.resume(half.url, checksum="sha256:" + hashlib.sha256(body).hexdigest())
    assert read(ready) == body
    request = half.requests[1]
    assert request.headers["range"] == f"bytes={HALF}-"
    assert request.headers["if-range"] == '"one"'
    assert request.sent == len(body) - HALF


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5", "blake2b"])
def test_checksum_while_downloading(bench, server, resource, body, algorithm):
    server.answer = resource(body)
    expected = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
    assert bench.fetch(server.url, checksum=expected).digest == expected


def test_N12_a_flipped_bit_is_a_checksum_mismatch(bench, server, resource, body):
    server.answer = resource(body[:-1] + bytes([body[-1] ^ 1]))
    checksum = "sha256:" + hashlib.sha256(body).hexdigest()
    failed = bench.fetch(server.url, checksum=checksum)
    assert (failed.code, failed.extents) == ("checksum_mismatch", [])
    server.answer = resource(body)
    assert read(bench.fetch(server.url, checksum=checksum)) == body


@pytest.mark.parametrize("chunked", [False, True])
def test_another_size_than_promised(bench, server, body, chunked):
    def answer(x):
        if chunked:
            x.head(Transfer_Encoding="chunked")
            x.send(b"3\r\nabc\r\n0\r\n\r\n")
        else:
            x.reply(body=b"abc")

    server.answer = answer
    assert bench.fetch(server.url, size=4).code == "size_mismatch"


def test_S1_S2_200_on_resume_opens_a_new_part(bench, half, resource, body):
    changed = body[::-1]
    old = Path(bench.kept()["part"].path)
    half.answer = resource(changed, etag='"two"')
    ready = bench.resume(half.url)
    assert read(ready) == changed
    assert bench.of(Headers, ready.attempt)[0].received == 0
    assert ready.part.path != str(old)
    assert not old.exists()


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes {wrong}-{last}/{total}",
        "",
        "bytes 5",
        "bytes {begin}-{last}/{other}",
        "bytes {begin}-{last}/*",
        "bytes {begin}-{total}/{total}",
    ],
    ids=["S3_wrong_offset", "S4_missing", "S4_invalid", "S4_total", "S4_unknown", "S6_too_long"],
)
def test_S3_S4_a_206_that_does_not_fit_is_discarded(bench, half, resource, body, content_range):
    good = resource(body)

    def answer(x):
        if "range" not in x.headers:
            return good(x)
        value = content_range.format(
            wrong=x.begin - 7,
            begin=x.begin,
            last=len(body) - 1,
            total=len(body),
            other=len(body) + 1,
        )
        headers = {"Content_Range": value} if value else {}
        return x.reply("206 Partial Content", body[x.begin - 7 : -7], ETag='"one"', **headers)

    half.answer = answer
    assert read(bench.resume(half.url)) == body


def test_S5_a_short_206_is_continued(bench, half, body):
    def answer(x):
        end = min(len(body), x.begin + 700_000)
        x.reply(
            "206 Partial Content",
            body[x.begin : end],
            ETag='"one"',
            Content_Range=f"bytes {x.begin}-{end - 1}/{len(body)}",
        )

    half.answer = answer
    ready = bench.resume(half.url)
    assert read(ready) == body
    assert len(half.requests) == 4
    assert len(bench.of(Headers, ready.attempt)) >= 1


@pytest.mark.parametrize("status", ["206 Partial Content", "304 Not Modified", "204 No Content"])
def test_S7_statuses_that_were_not_asked_for(bench, server, status):
    server.answer = lambda x: x.head(status, Content_Range="bytes 0-3/4")
    failed = bench.fetch(server.url)
    assert failed.code in ("protocol", "http_status")
    assert not bench.folder.exists()


def test_S8_multipart_byteranges_are_rejected(bench, half, resource, body):
    good = resource(body)

    def answer(x):
        if "range" in x.headers:
            x.reply(
                "206 Partial Content",
                b"--b\r\n\r\n--b--",
                Content_Type="multipart/byteranges; boundary=b",
            )
        else:
            good(x)

    half.answer = answer
    assert read(bench.resume(half.url)) == body


def test_S9_S10_another_version_in_a_206_is_never_mixed_in(bench, half, resource, body):
    changed = body[::-1]
    good = resource(changed, etag='"two"')

    def answer(x):
        x.headers.pop("if-range", None)  # as a server that ignores it
        good(x)

    half.answer = answer
    assert read(bench.resume(half.url)) == changed


def test_S9_a_source_that_never_stays_the_same(bench, half, body):
    def answer(x):
        begin = x.begin
        headers = {"ETag": f'"v{x.number}"'}
        if "range" in x.headers:
            x.reply(
                "206 Partial Content",
                body[begin:],
                Content_Range=f"bytes {begin}-{len(body) - 1}/{len(body)}",
                **headers,
            )
        else:
            x.reply("206 Partial Content", body, **headers)

    half.answer = answer
    failed = bench.resume(half.url)
    assert failed.code in ("source_changed", "protocol")


@pytest.mark.parametrize("etag", [None, 'W/"one"'], ids=["S11_none", "S12_weak"])
def test_S11_S12_without_a_strong_validator_it_starts_again(bench, server, resource, body, etag):
    server.answer = resource(body, etag=etag, modified=MODIFIED if etag else None, stop_at=HALF)
    assert bench.fetch(server.url).code == "truncated"
    assert bench.kept()["validator"] is None
    assert read(bench.resume(server.url)) == body
    assert "range" not in server.requests[1].headers
    assert [p.suffix for p in bench.folder.iterdir()] == [".part"]


def test_S13_last_modified_alone_is_enough(bench, server, resource, body):
    server.answer = resource(body, etag=None, modified=MODIFIED, stop_at=HALF)
    assert bench.fetch(server.url).code == "truncated"
    assert read(bench.resume(server.url)) == body
    assert server.requests[1].headers["if-range"] == MODIFIED
    assert server.requests[1].sent == len(body) - HALF


def test_S15_an_encoded_body_is_kept_as_sent_and_never_resumed(bench, server, body):
    encoded = gzip.compress(body[:1000])
    server.answer = lambda x: x.reply(body=encoded, Content_Encoding="gzip", ETag='"one"')
    assert read(bench.fetch(server.url)) == encoded
    assert bench.of(Headers)[0].validator is None


@pytest.mark.parametrize("length", ["-1", "abc", "3, 4", "3\r\nContent-Length: 4"])
def test_S16_a_senseless_content_length(bench, server, length):
    server.answer = lambda x: (x.head(Content_Length=length), x.send(b"abcd"))
    assert bench.fetch(server.url).code == "protocol"


def test_S16_the_same_content_length_twice(bench, server):
    server.answer = lambda x: (x.head(Content_Length="3\r\nContent-Length: 3"), x.send(b"abc"))
    assert read(bench.fetch(server.url)) == b"abc"


@pytest.mark.parametrize("length", [3, 2_000_000])
def test_S17_bytes_beyond_content_length(bench, server, body, length):
    server.answer = lambda x: (x.head(Content_Length=length), x.send(body))
    assert read(bench.fetch(server.url)) == body[:length]


def test_S18_416_on_a_complete_file(bench, server, body):
    def answer(x):
        if x.number == 1:
            x.head(Transfer_Encoding="chunked", ETag='"one"')
            x.send(b"%x\r\n%b\r\n" % (len(body), body))
        else:
            x.reply("416 Range Not Satisfiable", Content_Range=f"bytes */{len(body)}", ETag='"one"')

    server.answer = answer
    assert bench.fetch(server.url).code == "truncated"
    assert read(bench.resume(server.url)) == body


@pytest.mark.parametrize("content_range", ["", "bytes */99"])
def test_S18_416_that_proves_nothing(bench, half, resource, body, content_range):
    good = resource(body)

    def answer(x):
        if "range" in x.headers:
            x.reply("416 Range Not Satisfiable", Content_Range=content_range, ETag='"one"')
        else:
            good(x)

    half.answer = answer
    assert read(bench.resume(half.url)) == body


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_S19_C3_retry_after(bench, server, value, seconds):
    server.answer = lambda x: x.reply("503 Service Unavailable", Retry_After=value)
    failed = bench.fetch(server.url)
    assert (failed.code, failed.status_code) == ("http_status", 503)
    assert failed.retry_after == seconds


def test_S21_404_on_resume_keeps_the_part(bench, half):
    half.answer = lambda x: x.reply("404 Not Found")
    failed = bench.resume(half.url)
    assert (failed.code, failed.status_code) == ("http_status", 404)
    assert Path(bench.kept()["part"].path).stat().st_size == HALF


def test_a_404_leaves_nothing_behind(bench, server):
    assert bench.fetch(server.url).status_code == 404
    assert not bench.folder.exists()


def test_an_error_body_is_delivered_if_asked_for(bench, server):
    server.answer = lambda x: x.reply("404 Not Found", b"sorry", Content_Type="text/html")
    ready = bench.fetch(server.url, error_bodies=True, size=99)
    assert read(ready) == b"sorry"
    assert bench.of(Headers)[0].status_code == 404


@pytest.mark.parametrize("last", [False, True])
def test_a_retryable_error_is_delivered_only_at_the_last_try(bench, server, last):
    server.answer = lambda x: x.reply("503 Service Unavailable", b"later")
    end = bench.fetch(server.url, error_bodies=True, last=last)
    assert isinstance(end, Ready if last else Failed)


PAGE = b"<html>please log in</html>"


@pytest.mark.parametrize("fields", [{}, {"url": "/archive", "size": 5000}])
def test_S22_a_login_page_as_the_first_answer(bench, server, fields):
    url = server.at(fields.pop("url", "/data.bin"))
    server.answer = lambda x: x.reply(body=PAGE, Content_Type="text/html; charset=utf-8")
    assert bench.fetch(url, **fields).code == "unexpected_content"
    assert not bench.folder.exists()
    assert read(bench.fetch(url, accept_html=True)) == PAGE


def test_S22_a_login_page_with_a_checksum(bench, server):
    server.answer = lambda x: x.reply(body=PAGE, Content_Type="text/html")
    url = server.at("/archive")
    assert bench.fetch(url, checksum="md5:" + "0" * 32).code == "unexpected_content"


def test_S22_a_login_page_on_resume_is_never_appended(bench, half):
    half.answer = lambda x: x.reply(body=PAGE, Content_Type="text/html")
    assert bench.resume(half.url).code == "unexpected_content"
    assert Path(bench.kept()["part"].path).stat().st_size == HALF


def test_a_web_page_that_was_asked_for(bench, server):
    server.answer = lambda x: x.reply(body=PAGE, Content_Type="text/html")
    assert read(bench.fetch(server.at("/index.html"))) == PAGE


@pytest.mark.parametrize("length", [0, 1])
def test_S24_tiny_files(bench, server, resource, length):
    server.answer = resource(b"x" * length)
    checksum = "sha1:" + hashlib.sha1(b"x" * length).hexdigest()
    assert read(bench.fetch(server.url, checksum=checksum, size=length)) == b"x" * length


def test_S26_headers_that_are_too_large(bench, server):
    server.answer = lambda x: x.reply(X="y" * 1_000_000)
    assert isinstance(bench.fetch(server.url), Failed)


def test_T7_a_redirect_has_no_say_in_the_name(bench, server, resource, body):
    good = resource(body)

    def answer(x):
        if x.number == 1:
            x.reply("302 Found", Location="/.bashrc")
        else:
            good(x)

    server.answer = answer
    assert bench.fetch(server.at("/model.h5")).name == "model.h5"


def test_T6_a_name_from_content_disposition(bench, server):
    server.answer = lambda x: x.reply(
        body=b"x", Content_Disposition='attachment; filename="../../.ssh/authorized_keys"'
    )
    assert bench.fetch(server.url).name == "authorized_keys"
    assert bench.fetch(server.url, name="mine.bin").name == "mine.bin"


def test_a_head_has_no_content_whatever_its_fields_say(bench, server):
    server.answer = lambda x: x.head(Content_Length=12, Repr_Digest=f"sha-256=:{'A' * 43}=:")
    ready = bench.fetch(server.url, method="HEAD")
    assert isinstance(ready, Ready), ready
    assert (ready.size, ready.digest, ready.ended_by_close) == (0, None, False)
    assert [x.method for x in server.requests] == ["HEAD"]
