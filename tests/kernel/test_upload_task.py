"""Uploads from a notebook: what is refused, what a delegate hears, what waiting for one gives."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.uploads import Exchange, UploadServer, take

import jupyter_bgdl as bgdl
from jupyter_bgdl.kernel.files import resolve_source

Notebooks = Any
BODY = random.Random(13).randbytes(2 << 20)


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with UploadServer() as server:
        yield server


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"x"), io.BytesIO(b"x"), iter([b"x"]), None])
def test_data_as_a_file_is_refused_by_the_name_of_the_argument(data: Any) -> None:
    with pytest.raises(bgdl.InvalidRequest, match="from_file="):
        resolve_source(data)


@pytest.mark.parametrize("body", [b"bytes", "text", io.BytesIO(b"x"), iter([b"x"])])
def test_a_body_in_a_request_is_refused_by_the_name_of_the_way_out(body: Any) -> None:
    with pytest.raises(bgdl.InvalidRequest, match="from_file="):
        bgdl.Request("https://host.test/", "PUT", body=body)


def test_a_relative_path_is_meant_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_source("a/../b.bin") == str(tmp_path / "b.bin")


SESSION = "import jupyter_bgdl as bgdl\nsession = bgdl.background_session({name!r})\n"


def test_what_cannot_be_sent_is_an_error_that_says_why(notebooks: Notebooks) -> None:
    kernel = notebooks.open()
    kernel.run(SESSION.format(name="uploads refused") + "import os; os.makedirs('folder')")
    for request, file, words in (
        ("bgdl.Request('http://h/', 'PUT')", "'missing.bin'", "there is no file"),
        ("bgdl.Request('http://h/', 'PUT')", "'folder'", "is a folder"),
        ("bgdl.Request('http://h/', 'PUT')", "b'data'", "is the path of a file, not bytes"),
        ("bgdl.Request('http://h/')", "__import__('sys').executable", "PUT, POST, PATCH"),
        ("'http://h/'", "'x'", "Request(url, method="),
    ):
        cell = f"""
try:
    session.upload_task({request}, from_file={file})
except bgdl.InvalidRequest as error:
    print(error)
"""
        assert words in kernel.run(cell)
    assert kernel.run("print(session.all_tasks(completed=True))") == "[]\n"


def test_the_file_is_sent_and_the_response_is_what_waiting_gives(
    notebooks: Notebooks, server: UploadServer
) -> None:
    kernel = notebooks.open()
    shown = kernel.run(
        SESSION.format(name="uploads")
        + f"""
import pathlib
pathlib.Path("result.bin").write_bytes(bytes(range(256)) * 4000)
request = bgdl.Request({server.url!r}, "POST", {{"X-Key": "k"}})
task = session.upload_task(request, from_file="result.bin")
print(type(task).__name__, task.state.value, task.response)
task.resume()
response = await task
print(response.status_code, response.content, task.result().content)
print(task.progress.received, task.progress.total, task.error)
again = session.upload_task(request, from_file="result.bin")
print(again is task, again.state.value)
print(session.wait(), "|", repr(task))
"""
    )
    first, second, third, fourth, fifth = shown.splitlines()
    assert first == "UploadTask suspended None"
    assert second == "201 b'thanks' b'thanks'"
    assert third == "1024000 1024000 None"
    assert fourth == "True completed"
    assert fifth.startswith("1 done | <UploadTask 1 result.bin")
    (x,) = server.of("POST")
    assert bytes(x.body) == bytes(range(256)) * 4000
    assert x.headers["x-key"] == "k"


DELEGATE = """
import pathlib
pathlib.Path("slow.bin").write_bytes(bytes(48 << 20))
heard = []

class Delegate(bgdl.SessionDelegate):
    def task_did_send_body_data(self, session, task, sent, total_sent, expected):
        heard.append((sent, total_sent, expected))
    def download_task_did_finish_downloading(self, session, task, location):
        heard.append("never")
    def task_did_complete(self, session, task, error):
        heard.append((task.response.status_code, task.response.content, error))

session = bgdl.Session(bgdl.SessionConfiguration.background("uploads heard"), Delegate())
task = session.upload_task(bgdl.Request({url!r}, "PUT"), from_file="slow.bin")
task.resume()
session.wait(timeout=60)
*progress, end = heard
print(end)
print(len(progress) > 1, all(p[2] == 48 << 20 for p in progress))
totals = [p[1] for p in progress]
print(sum(p[0] for p in progress) == totals[-1], totals == sorted(totals))
"""


def test_a_delegate_hears_how_much_was_sent(notebooks: Notebooks, server: UploadServer) -> None:
    def slowly(x: Exchange) -> None:
        if x.method == "PUT":
            while x.read(4 << 20) and len(x.body) < x.length:
                server.pause(0.1)
            x.reply("200 OK", b"<error>late</error>")
        else:
            take(x)

    server.answer = slowly
    kernel = notebooks.open()
    shown = kernel.run("import jupyter_bgdl as bgdl\n" + DELEGATE.format(url=server.url))
    assert shown.splitlines() == [
        "(200, b'<error>late</error>', None)",
        "True True",
        "True True",
    ]


def test_U1_an_answer_that_is_lost_is_an_error_in_words(
    notebooks: Notebooks, server: UploadServer
) -> None:
    def lose(x: Exchange) -> None:
        x.read()
        if x.method == "POST":
            x.reset()
        else:
            take(x)

    server.answer = lose
    kernel = notebooks.open()
    shown = kernel.run(
        SESSION.format(name="uploads lost")
        + f"""
import pathlib
pathlib.Path("once.bin").write_bytes(b"once")
task = session.upload_task(bgdl.Request({server.url!r}, "POST"), from_file="once.bin")
task.resume()
try:
    await task
except bgdl.TransferError as error:
    print(error)
"""
    )
    assert "not repeated" in shown
    assert len(server.of("POST")) == 1
