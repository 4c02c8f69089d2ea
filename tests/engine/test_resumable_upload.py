"""Uploads by draft-ietf-httpbis-resumable-upload, over real sockets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sending import send
from support.uploads import Draft, Exchange, UploadServer

from jupyter_bgdl.engine.protocol import Failed, Resumable, Resumption, Uploaded

BODY = random.Random(12).randbytes(3 * (1 << 20) + 5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with UploadServer() as server:
        yield server


@pytest.fixture
def draft(server: UploadServer) -> Draft:
    server.answer = draft = Draft()
    return draft


def resumption(bench: Any) -> Resumption:
    kept: Resumption = bench.of(Resumable)[-1].resumption
    return kept


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_file_arrives(
    bench: Any, server: UploadServer, draft: Draft, file: Path, method: str
) -> None:
    end = send(bench, server.url, file, method, headers={"content-type": "a/b"})
    assert (type(end), end.status_code, end.content) == (Uploaded, 200, b"stored")
    assert bytes(draft.data) == BODY
    assert server.of(method)[0].headers["content-type"] == "a/b"
    assert server.of(method)[0].headers["upload-length"] == str(len(BODY))
    assert resumption(bench) == Resumption("ietf", server.at("/uploads/1"))


def test_an_interrupted_upload_goes_on_where_the_server_is(
    bench: Any, server: UploadServer, draft: Draft, file: Path
) -> None:
    draft.faults = [draft.cut_after(1_234_567)]
    assert send(bench, server.url, file, "POST").code == "connection"
    end = send(bench, server.url, file, "POST", resumption=resumption(bench))
    assert isinstance(end, Uploaded)
    assert bytes(draft.data) == BODY
    assert server.of("PATCH")[-1].headers["upload-offset"] == "1234567"


def test_U1_answer_lost_after_the_whole_body_is_asked_for(
    bench: Any, server: UploadServer, draft: Draft, file: Path
) -> None:
    draft.faults = [draft.lose_answer]
    assert send(bench, server.url, file, "POST").code == "connection"
    end = send(bench, server.url, file, "POST", resumption=resumption(bench))
    assert isinstance(end, Uploaded)
    assert bytes(draft.data) == BODY
    assert [x.method for x in server.requests] == ["OPTIONS", "POST", "PATCH", "HEAD"]


def test_U4_a_completion_that_did_not_count_is_repeated(
    bench: Any, server: UploadServer, draft: Draft, file: Path
) -> None:
    """All bytes are there, but the server does not take the upload for complete."""
    draft.faults = [draft.cut_after(len(BODY))]
    assert send(bench, server.url, file, "POST").code == "connection"
    end = send(bench, server.url, file, "POST", resumption=resumption(bench))
    assert (type(end), end.content) == (Uploaded, b"stored")
    assert bytes(draft.data) == BODY
    assert server.of("PATCH")[-1].length == 0


def test_U2_an_offset_that_does_not_fit_is_asked_for(
    bench: Any, server: UploadServer, draft: Draft, file: Path
) -> None:
    def misfit(x: Exchange) -> None:
        draft.data += x.read(5000)
        x.read()
        x.reply("409 Conflict")

    draft.faults = [misfit]
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(draft.data) == BODY


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_U2_an_upload_that_expired_starts_again(
    bench: Any, server: UploadServer, draft: Draft, file: Path, status: str
) -> None:
    draft.faults = [lambda x: (x.read(), x.reply(status))]
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(draft.data) == BODY
    assert draft.made == 2


def test_a_limit_of_what_one_request_may_append_is_kept(
    bench: Any, server: UploadServer, draft: Draft, file: Path
) -> None:
    draft.limit = "max-append-size=1000000, min-size=1"
    end = send(bench, server.url, file, "POST")
    assert (type(end), end.content) == (Uploaded, b"stored")
    assert bytes(draft.data) == BODY
    assert [x.length for x in server.of("PATCH")] == [1_000_000] * 3 + [len(BODY) - 3_000_000]
    assert [x.headers["upload-complete"] for x in server.of("PATCH")] == ["?0"] * 3 + ["?1"]


@pytest.mark.parametrize("refusal", ["413 Too Large", "403 No"])
def test_U5_a_refusal_to_make_the_upload_is_the_response(
    bench: Any, server: UploadServer, draft: Draft, file: Path, refusal: str
) -> None:
    server.answer = lambda x: x.reply(refusal, b"why") if x.method == "POST" else draft(x)
    end = send(bench, server.url, file, "POST")
    assert (type(end), end.status_code, end.content) == (Uploaded, int(refusal[:3]), b"why")


def test_a_server_of_another_interop_version_gets_a_plain_upload(
    bench: Any, server: UploadServer, file: Path
) -> None:
    def answer(x: Exchange) -> None:
        if x.method == "OPTIONS":
            x.reply("204 No Content", Upload_Draft_Interop_Version="3", Upload_Limit="max-size=9")
        else:
            x.read()
            x.reply()

    server.answer = answer
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(server.requests[-1].body) == BODY
    assert "upload-complete" not in server.requests[-1].headers


def test_an_upload_that_makes_no_resource_is_an_error(
    bench: Any, server: UploadServer, draft: Draft, file: Path
) -> None:
    server.answer = lambda x: x.reply("201 Created") if x.method == "POST" else draft(x)
    end = send(bench, server.url, file, "POST")
    assert (type(end), end.code) == (Failed, "protocol")
