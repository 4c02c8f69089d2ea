"""Uploads to the reference tus server, and to one that does what a test says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sending import begin, ending, send
from support.uploads import Exchange, TusServer, UploadServer

from jupyter_bgdl.engine.protocol import Attempt, Failed, Resumable, Resumption, Uploaded, Withdraw

BODY = random.Random(10).randbytes(3 * (1 << 20) + 5)
OFFER = {"Tus_Resumable": "1.0.0", "Tus_Version": "1.0.0", "Tus_Extension": "creation,termination"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def tus(tmp_path: Path) -> Iterator[TusServer]:
    if why := TusServer.missing():
        pytest.skip(why)
    with TusServer(tmp_path / "store") as server:
        yield server


class Scripted:
    """A tus server for one upload; each entry of ``faults`` deals with one PATCH."""

    def __init__(self) -> None:
        self.faults: list[Any] = []
        self.data = bytearray()
        self.made = 0
        self.known = True

    def __call__(self, x: Exchange) -> None:
        if x.method == "OPTIONS":
            x.reply("204 No Content", **OFFER)
            return
        assert x.headers["tus-resumable"] == "1.0.0"
        if x.method == "POST":
            assert x.headers["upload-length"] == str(len(BODY))
            self.made += 1
            self.data.clear()
            x.reply("201 Created", Location=f"up/{self.made}", **OFFER)
        elif x.target != f"/up/{self.made}":
            x.reply("410 Gone")
        elif x.method == "HEAD":
            x.reply("200 OK", Upload_Offset=len(self.data), Upload_Length=len(BODY))
        elif x.method == "PATCH":
            (self.faults.pop(0) if self.faults else self.append)(x)

    def append(self, x: Exchange) -> None:
        assert x.headers["content-type"] == "application/offset+octet-stream"
        if int(x.headers["upload-offset"]) != len(self.data):
            x.reply("409 Conflict")
            return
        self.data += x.read()
        x.reply("204 No Content", Upload_Offset=len(self.data))

    def cut_after(self, count: int) -> Any:
        def fault(x: Exchange) -> None:
            self.data += x.read(count)
            x.reset()

        return fault


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with UploadServer() as server:
        yield server


@pytest.fixture
def script(server: UploadServer) -> Scripted:
    server.answer = script = Scripted()
    return script


def resumption(bench: Any) -> Resumption:
    """As the ledger would keep it."""
    kept: Resumption = bench.of(Resumable)[-1].resumption
    return kept


def test_the_file_arrives_at_the_reference_server(bench: Any, tus: TusServer, file: Path) -> None:
    end = send(bench, tus.url, file, "POST")
    assert (type(end), end.status_code) == (Uploaded, 204)
    (stored,) = tus.files()
    assert stored.read_bytes() == BODY
    assert resumption(bench).url.startswith(tus.url + "/")


def test_an_empty_file_arrives_at_the_reference_server(
    bench: Any, tus: TusServer, tmp_path: Path
) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert isinstance(send(bench, tus.url, path, "POST"), Uploaded)
    (stored,) = tus.files()
    assert stored.read_bytes() == b""


def test_the_reference_server_is_killed_in_the_middle_and_the_upload_goes_on(
    bench: Any, tus: TusServer, tmp_path: Path
) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(random.Random(11).randbytes(1 << 20) * 600)
    unit = begin(bench, tus.url, path, "POST")
    bench.wait(lambda r: isinstance(r, Resumable))
    while not (tus.files() and tus.files()[0].stat().st_size > 20 << 20):
        assert unit.attempt in bench.engine.running()
    tus.kill()
    end = ending(bench, unit)
    assert (type(end), end.code) == (Failed, "connection")
    (stored,) = tus.files()
    before = stored.stat().st_size
    tus.start()
    end = send(bench, tus.url, path, "POST", resumption=resumption(bench))
    assert isinstance(end, Uploaded)
    (stored,) = tus.files()
    assert stored.read_bytes() == path.read_bytes()
    assert before > 0
    assert len(bench.of(Resumable)) == 1


def test_U4_the_upload_of_a_cancelled_task_is_deleted_at_the_server(
    bench: Any, tus: TusServer, file: Path
) -> None:
    unit = begin(bench, tus.url, file, "POST")
    assert isinstance(ending(bench, unit), Uploaded)
    assert len(tus.files()) == 1
    from msgspec.structs import replace

    bench.numbers += 1
    attempt = Attempt(bench.task, bench.numbers)
    upload = replace(unit, resumption=resumption(bench))
    bench.engine.submit([Withdraw(attempt=attempt, upload=upload)])
    bench.wait(lambda r: isinstance(r, Failed) and r.attempt == attempt)
    assert tus.files() == []


def test_U1_answer_lost_after_the_whole_body_is_asked_for(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    script.faults = [script.cut_after(len(BODY))]
    assert send(bench, server.url, file, "POST").code == "connection"
    end = send(bench, server.url, file, "POST", resumption=resumption(bench))
    assert isinstance(end, Uploaded)
    assert bytes(script.data) == BODY
    assert [x.method for x in server.requests] == ["OPTIONS", "POST", "PATCH", "HEAD"]


def test_an_interrupted_upload_goes_on_where_the_server_is(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    script.faults = [script.cut_after(1_000_000)]
    assert send(bench, server.url, file, "POST").code == "connection"
    end = send(bench, server.url, file, "POST", resumption=resumption(bench))
    assert isinstance(end, Uploaded)
    assert bytes(script.data) == BODY
    assert server.of("PATCH")[-1].headers["upload-offset"] == "1000000"


@pytest.mark.parametrize("status", ["409 Conflict", "460 Checksum Mismatch"])
def test_U2_offset_or_checksum_that_does_not_fit_is_asked_for(
    bench: Any, server: UploadServer, script: Scripted, file: Path, status: str
) -> None:
    def misfit(x: Exchange) -> None:
        script.data += x.read(5000)
        x.read()
        x.reply(status)

    script.faults = [misfit]
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(script.data) == BODY
    assert [x.method for x in server.requests[2:]] == ["PATCH", "HEAD", "PATCH"]


def test_U2_checksum_that_never_fits_is_an_error(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    script.faults = [lambda x: (x.read(), x.reply("460 Checksum Mismatch"))] * 20
    end = send(bench, server.url, file, "POST")
    assert (type(end), end.code) == (Failed, "protocol")
    assert len(server.of("PATCH")) <= 5


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_U2_an_upload_that_expired_starts_again(
    bench: Any, server: UploadServer, script: Scripted, file: Path, status: str
) -> None:
    script.faults = [lambda x: (x.read(), x.reply(status))]
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(script.data) == BODY
    assert script.made == 2


def test_U2_an_upload_that_expired_between_attempts_starts_again(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    script.faults = [script.cut_after(1_000_000)]
    assert send(bench, server.url, file, "POST").code == "connection"
    kept = resumption(bench)
    script.made += 1
    assert isinstance(send(bench, server.url, file, "POST", resumption=kept), Uploaded)
    assert bytes(script.data) == BODY
    assert resumption(bench).url != kept.url


def test_U2_an_upload_that_always_expires_is_an_error(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    script.faults = [lambda x: (x.read(), x.reply("410 Gone"))] * 20
    end = send(bench, server.url, file, "POST")
    assert (type(end), end.code) == (Failed, "protocol")


def test_U4_a_repeated_append_is_verified_by_its_offset(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    """The server takes all and loses its answer; the same stretch is not appended twice."""
    script.faults = [script.cut_after(2_000_000), script.cut_after(len(BODY) - 2_000_000)]
    for _ in range(2):
        kept = bench.of(Resumable)
        fields = {"resumption": kept[-1].resumption} if kept else {}
        assert send(bench, server.url, file, "POST", **fields).code == "connection"
    end = send(bench, server.url, file, "POST", resumption=resumption(bench))
    assert isinstance(end, Uploaded)
    assert bytes(script.data) == BODY


def test_a_lock_that_an_earlier_request_still_holds_is_waited_for(
    bench: Any, server: UploadServer, script: Scripted, file: Path
) -> None:
    script.faults = [lambda x: (x.read(), x.reply("423 Locked"))] * 2
    assert isinstance(send(bench, server.url, file, "POST"), Uploaded)
    assert bytes(script.data) == BODY


def test_a_put_is_none_of_tus(bench: Any, server: UploadServer, file: Path) -> None:
    server.answer = lambda x: (
        x.reply("204 No Content", **OFFER) if x.method == "OPTIONS" else (x.read(), x.reply())
    )
    assert isinstance(send(bench, server.url, file, "PUT"), Uploaded)
    assert [x.method for x in server.requests] == ["OPTIONS", "PUT"]
    assert bytes(server.requests[-1].body) == BODY


def test_an_address_that_makes_no_sense_is_refused(
    bench: Any, server: UploadServer, file: Path
) -> None:
    def answer(x: Exchange) -> None:
        if x.method == "OPTIONS":
            x.reply("204 No Content", **OFFER)
        else:
            x.reply("201 Created", Location="ftp://elsewhere/x")

    server.answer = answer
    assert send(bench, server.url, file, "POST").code == "redirect_scheme"


@pytest.mark.parametrize("offset", ["", "-1", "99999999999", "x"])
def test_an_offset_that_makes_no_sense_is_refused(
    bench: Any, server: UploadServer, file: Path, offset: str
) -> None:
    def answer(x: Exchange) -> None:
        if x.method == "OPTIONS":
            x.reply("204 No Content", **OFFER)
        elif x.method == "POST":
            x.reply("201 Created", Location="/up")
        else:
            x.read()
            x.reply("204 No Content", Upload_Offset=offset)

    server.answer = answer
    assert send(bench, server.url, file, "POST").code == "protocol"
