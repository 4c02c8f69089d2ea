"""The demo's file server sends what its digest says, whole or in ranges."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import httpx
import pytest

from demo.fileserver import BLOCK, Content, FileServer

SIZE = 3 * BLOCK + 12345


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer(SIZE, rate=1e9) as server:
        yield server


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        yield client


def test_no_two_blocks_are_equal() -> None:
    content = Content(SIZE)
    blocks = {content.read(start, start + BLOCK) for start in range(0, 3 * BLOCK, BLOCK)}
    assert len(blocks) == 3


def test_the_whole_file_has_the_digest(files: FileServer, client: httpx.Client) -> None:
    answer = client.get(files.url)
    assert answer.status_code == 200
    assert len(answer.content) == SIZE
    assert hashlib.sha256(answer.content).hexdigest() == files.content.sha256


@pytest.mark.parametrize("start", [0, 1, BLOCK - 1, BLOCK, SIZE - 1])
def test_a_range_begins_where_it_was_asked_for(
    files: FileServer, client: httpx.Client, start: int
) -> None:
    headers = {"Range": f"bytes={start}-", "If-Range": files.etag}
    answer = client.get(files.url, headers=headers)
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{SIZE - 1}/{SIZE}"
    assert answer.content == files.content.read(start, SIZE)


def test_another_validator_gets_the_whole_file(files: FileServer, client: httpx.Client) -> None:
    answer = client.get(files.url, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert answer.status_code == 200
    assert len(answer.content) == SIZE


def test_a_range_beyond_the_end_is_416(files: FileServer, client: httpx.Client) -> None:
    answer = client.get(files.url, headers={"Range": f"bytes={SIZE}-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


def test_another_path_is_404(files: FileServer, client: httpx.Client) -> None:
    assert client.get(files.url + ".other").status_code == 404


def test_the_rate_is_held(client: httpx.Client) -> None:
    with FileServer(1_000_000, rate=2_000_000.0) as slow:
        begun = time.monotonic()
        client.get(slow.url)
        assert time.monotonic() - begun > 0.4
