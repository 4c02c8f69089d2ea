"""A task's properties in a notebook: local until it is resumed, then sent; bad ones are refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from support.fileserver import FileServer, content

import jupyter_bgdl as bgdl
from jupyter_bgdl.kernel.spec import each, properties_of

Notebooks = Any
SESSION = "import jupyter_bgdl as bgdl\nsession = bgdl.background_session({name!r})\n"


def test_setters_are_local_until_the_task_is_resumed_and_sent_after(
    notebooks: Notebooks, files: FileServer
) -> None:
    kernel = notebooks.open()
    url = files.add("set.bin", content(1000))
    shown = kernel.run(
        SESSION.format(name="setters")
        + f"""
from datetime import datetime, timedelta, UTC
task = session.download_task({url!r}, to="set.bin", priority=0.25, task_description="one")
print(task.priority, task.task_description, task.earliest_begin_date)
begin = datetime.now(UTC) + timedelta(hours=1)
task.priority = 1
task.task_description = "two"
task.earliest_begin_date = begin
task.count_of_bytes_client_expects_to_send = 200
task.count_of_bytes_client_expects_to_receive = 500_000
known = session.call("GET", "/tasks/1", answer=type(task.view))
print(known.priority, known.description, known.earliest_begin_date)
print(task.priority, task.task_description, task.earliest_begin_date == begin)
task.resume()
known = session.call("GET", "/tasks/1", answer=type(task.view))
print(known.priority, known.description, known.earliest_begin_date == begin.timestamp())
print(known.count_of_bytes_client_expects_to_send, task.count_of_bytes_client_expects_to_receive)
print(task.state.value, task.waiting_for.value)
task.earliest_begin_date = timedelta()
print(task.result(20).name, task.original_request, task.current_request.url == {url!r})
task.earliest_begin_date = timedelta(hours=1)
print(task.state.value, task.earliest_begin_date < datetime.now(UTC))
task.task_description = "read"
print(session.all_tasks(completed=True)[0].task_description)
"""
    )
    assert shown.splitlines() == [
        "0.25 one None",
        "0.25 one None",
        "1.0 two True",
        "1.0 two True",
        "200 500000",
        "running earliest_begin_date",
        "set.bin <Request GET to 127.0.0.1> True",
        "completed True",
        "read",
    ]


def test_each_source_has_its_own_checksum_size_mirrors_and_key(
    notebooks: Notebooks, files: FileServer
) -> None:
    kernel = notebooks.open()
    body = content(1000)
    good, bad, gone = files.add("good.bin", body), files.add("bad.bin", body), files.url("gone")
    shown = kernel.run(
        SESSION.format(name="each")
        + f"""
import hashlib
digest = "md5:" + hashlib.md5({body!r}).hexdigest()
good, bad, gone = {good!r}, {bad!r}, {gone!r}
tasks = session.download_all([good, bad, gone], to="each", key=["g", "b", "m"], priority=0.75,
    size={{bad: 999}}, checksum=[digest, None, digest], mirrors={{gone: [good]}})
print(session.wait(30))
print([(type(task.error).__name__, task.priority, task.view.verified) for task in tasks])
again = session.download_all([good + "?signed=2"], to="each", key=["g"])
print(again == tasks[:1])
"""
    )
    assert shown.startswith("2 done, 1 failed\n")
    assert "[('NoneType', 0.75, True), ('ChecksumMismatch', 0.75, False)" in shown
    assert shown.endswith("('NoneType', 0.75, True)]\nTrue\n")


def test_an_upload_has_them_too(notebooks: Notebooks, files: FileServer) -> None:
    kernel = notebooks.open()
    shown = kernel.run(
        SESSION.format(name="sends")
        + f"""
import pathlib
from datetime import timedelta
pathlib.Path("up.bin").write_bytes(b"x")
request = bgdl.Request({files.url("up")!r}, "PUT")
task = session.upload_task(request, from_file="up.bin", priority=0.9, task_description="up",
    count_of_bytes_client_expects_to_send=300, earliest_begin_date=timedelta(hours=1))
task.resume()
print(task.priority, task.task_description, task.count_of_bytes_client_expects_to_send)
print(task.waiting_for.value, task.original_request.method)
task.cancel()
"""
    )
    assert shown.splitlines() == ["0.9 up 300", "earliest_begin_date PUT"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"priority": 2}, "from 0 to 1, not 2"),
        ({"priority": float("nan")}, "from 0 to 1"),
        ({"priority": "high"}, "from 0 to 1"),
        ({"count_to_send": -1}, "number of bytes, not -1"),
        ({"count_to_receive": -5}, "number of bytes, not -5"),
        ({"count_to_receive": 1.5}, "number of bytes"),
        ({"earliest_begin_date": datetime(2030, 1, 1)}, r"write .*\.astimezone\(\)"),
        ({"earliest_begin_date": 5}, "aware datetime or a timedelta"),
        ({"task_description": "x" * 1025}, "1024"),
    ],
)
def test_values_that_cannot_be_are_refused_before_they_are_sent(
    wrong: dict[str, Any], words: str
) -> None:
    given: dict[str, Any] = {
        "task_description": "",
        "priority": 0.5,
        "earliest_begin_date": timedelta(0),
        "count_to_send": None,
        "count_to_receive": 0,
    }
    properties_of(**given)
    with pytest.raises(bgdl.InvalidRequest, match=words):
        properties_of(**{**given, **wrong})


@pytest.mark.parametrize(
    "given", ["md5:00", 5, ["md5:00"], {"http://h/c": "md5:00"}, {"http://h/a": 1, "x": 2}]
)
def test_what_is_not_of_each_source_is_refused(given: Any) -> None:
    with pytest.raises(bgdl.InvalidRequest, match="checksum="):
        each("checksum", given, ["http://h/a", "http://h/b"])
    assert each("checksum", {"http://h/b": "x"}, ["http://h/a", "http://h/b"]) == [None, "x"]
    assert each("checksum", (), ["http://h/a"]) == [None]
