"""Hostile servers: what they send is neither unpacked nor quoted, nor are they trusted for another
task's sake. Rows T19, T24 and T25."""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.identical import assert_identical
from support.sending import send
from support.uploads import Exchange, UploadServer

from jupyter_bgdl.engine.protocol import Failed, Headers, Ready, Uploaded

MIB = 1 << 20
CANARY = "canary-<b>b0d1</b>"


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """200 MiB of zeros, packed."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()


@pytest.fixture
def flat(own_bench: Any, server: Any) -> Iterator[Any]:
    """An engine; fails if what unpacks was unpacked into the memory of its worker."""
    server.answer = lambda x: x.reply(body=b"small")
    own_bench.fetch(server.url)
    status = Path(f"/proc/{own_bench.engine.pid}/status")
    before = peak(status)
    yield own_bench
    assert peak(status) - before < 32 * 1024


def peak(status: Path) -> int:
    """The most memory that a process has had so far, in KiB."""
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "gzip, gzip"])
def test_T19_what_unpacks_to_200_MiB_stays_packed(
    flat: Any, server: Any, bomb: bytes, encoding: str
) -> None:
    server.answer = lambda x: x.reply(body=bomb, Content_Encoding=encoding)
    ready = flat.fetch(server.url)
    assert isinstance(ready, Ready)
    assert ready.size == len(bomb)
    assert_identical(Path(ready.part.path), bomb)
    assert server.requests[-1].headers["accept-encoding"] == "identity"


def test_T19_nor_is_an_answer_to_an_upload_unpacked(flat: Any, bomb: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"data")

    def answer(x: Exchange) -> None:
        if x.method == "OPTIONS":
            x.reply("405 Method Not Allowed")
            return
        x.reply("200 OK", bomb, Content_Encoding="gzip")

    with UploadServer() as server:
        server.answer = answer
        end = send(flat, server.url, path, "PUT")
    assert isinstance(end, Uploaded)
    assert len(end.content) <= MIB
    assert end.content == bomb[: len(end.content)]


@pytest.mark.parametrize(
    "status",
    [
        "404 " + CANARY,
        "401 " + CANARY,
        "416 " + CANARY,
        "500 " + CANARY,
        "999 " + CANARY,
        "204 " + CANARY,
        "206 " + CANARY,
        "302 " + CANARY,
        "abc " + CANARY,
        "200",
    ],
)
def test_T24_no_error_has_words_of_the_server(bench: Any, server: Any, status: str) -> None:
    server.answer = lambda x: x.reply(
        status,
        CANARY.encode() * 1000,
        Content_Type="text/html",
        WWW_Authenticate=f'Basic realm="{CANARY}"',
        Location=f"{CANARY}://{CANARY}/{CANARY}",
        Content_Range=CANARY,
        Retry_After=CANARY,
    )
    failed = bench.fetch(server.url)
    assert isinstance(failed, Failed)
    assert "canary" not in f"{failed.message} {failed.notes}"
    assert len(failed.message) <= 200


@pytest.mark.parametrize(
    "answer",
    [
        f"{CANARY} nonsense\r\n\r\n",
        f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\n{CANARY}: x\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {CANARY}\r\n\r\n{CANARY}\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: http://{'canary' * 40}.invalid/\r\n\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: http://[{CANARY}/\r\n\r\n",
    ],
)
def test_T24_nor_has_one_about_what_is_no_answer(bench: Any, server: Any, answer: str) -> None:
    server.answer = lambda x: x.send(answer.encode())
    failed = bench.fetch(server.url)
    assert isinstance(failed, Failed)
    assert "<b>" not in f"{failed.message} {failed.notes}"
    assert len(failed.message) <= 200


def test_T25_an_expired_certificate_is_taken_by_the_task_that_asked_for_it_alone(
    bench: Any, tls_server: Any, resource: Any, body: bytes, bundle: str
) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    server = tls_server(not_before=past, not_after=past + datetime.timedelta(days=30))
    server.answer = resource(body)
    for verify in (True, False, True):
        # The connection that was made without a check is kept, but not for who wants one.
        end = bench.fetch(server.url, ca_bundle=bundle, verify=verify)
        assert getattr(end, "code", None) == ("tls" if verify else None)
    assert len(server.requests) == len(bench.of(Headers))
