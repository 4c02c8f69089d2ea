"""The worker's life: killed, orphaned, told to go. P-rows of the fault table."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import resource as limits
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.identical import Arrived

from jupyter_bgdl.engine import wire
from jupyter_bgdl.engine.local import LocalEngine, redact
from jupyter_bgdl.engine.outcomes import outcome_of
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Checkpoint,
    Failed,
    Fetch,
    Headers,
    Known,
    Limits,
    Progress,
    Ready,
    Unchanged,
)

MODIFIED = "Thu, 01 Jan 2026 10:00:00 GMT"


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    return Arrived(Path(report.part.path).read_bytes())


def wait_until_gone(pid: int, timeout: float) -> None:
    """Wait for a process that is not our child."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            import select

            assert select.select([fd], [], [], timeout)[0], "it is still there"
        finally:
            os.close(fd)


@pytest.fixture
def bench(own_bench):
    return own_bench


@pytest.fixture
def big(body):
    return body * 10


def test_P1_killed_again_and_again_and_still_identical(bench, server, resource, big):
    rate = 10e6
    server.answer = resource(big, rate=rate)
    checksum = "sha256:" + hashlib.sha256(big).hexdigest()
    end, kills = None, 0
    while not isinstance(end, Ready):
        unit = bench.submit(server.url, checksum=checksum, **bench.kept())
        if kills < 4:
            bench.wait(lambda r, unit=unit: isinstance(r, Checkpoint) and r.attempt == unit.attempt)
            os.kill(bench.engine.pid, signal.SIGKILL)
            kills += 1
        end = bench.end_of(unit.attempt)
        assert isinstance(end, Ready) or end.code == "worker_died"
    assert read(end) == big
    fetched = sum(x.sent for x in server.requests)
    # what the kernel's socket buffers held at each kill was sent, too
    assert fetched - len(big) <= kills * (max(8 << 20, rate) + (8 << 20))
    assert len(set(bench.folder.iterdir())) == 1


def test_P1_a_worker_killed_at_rest_is_replaced(bench, server, resource, body):
    server.answer = resource(body)
    assert read(bench.fetch(server.url)) == body
    first = bench.engine.pid
    os.kill(first, signal.SIGKILL)
    end = bench.fetch(server.url)
    if isinstance(end, Failed):  # it was submitted to the one that died
        assert end.code == "worker_died"
        end = bench.fetch(server.url)
    assert read(end) == body
    assert bench.engine.pid != first


def test_P1_a_complete_part_needs_no_request(bench, server, resource, body):
    server.answer = resource(body)
    checksum = "sha256:" + hashlib.sha256(body).hexdigest()
    assert read(bench.fetch(server.url)) == body
    ready = bench.resume(server.url, checksum=checksum)
    assert read(ready) == body
    assert ready.digest == checksum
    assert len(server.requests) == 1


def test_P11_sigterm_checkpoints_what_runs(bench, server, resource, big):
    server.answer = resource(big, rate=10e6)
    unit = bench.submit(server.url)
    bench.wait(lambda r: isinstance(r, Progress))
    os.kill(bench.engine.pid, signal.SIGTERM)
    failed = bench.end_of(unit.attempt, timeout=5)
    assert failed.code == "worker_died"
    assert failed.extents[0][1] > 0
    server.answer = resource(big)
    end = bench.resume(server.url)
    if isinstance(end, Failed):  # it was submitted to the one that was leaving
        assert end.code == "worker_died"
        end = bench.resume(server.url)
    assert read(end) == big


def test_closing_checkpoints_what_runs(bench, server, resource, big):
    server.answer = resource(big, rate=10e6)
    unit = bench.submit(server.url)
    bench.wait(lambda r: isinstance(r, Progress))
    pid = bench.engine.pid
    begun = time.monotonic()
    bench.engine.close(5)
    assert time.monotonic() - begun < 5
    failed = bench.end_of(unit.attempt, timeout=0)
    assert failed.code == "stopped"
    size = Path(bench.of(Headers)[0].part.path).stat().st_size
    assert failed.extents == [(0, size)]
    assert bench.engine.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_worker_that_does_not_answer_is_killed_at_close(bench):
    bench.wait_for_worker()
    os.kill(bench.engine.pid, signal.SIGSTOP)
    begun = time.monotonic()
    bench.engine.close(0.5)
    assert time.monotonic() - begun < 3
    assert bench.engine.pid is None


def test_P2_a_worker_whose_parent_was_killed_exits(server, resource, big, tmp_path):
    server.answer = resource(big, rate=5e6)
    script = f"""
import sys, time
from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.protocol import Attempt, Fetch, Progress
engine = LocalEngine()
def report(reports):
    if any(isinstance(r, Progress) for r in reports):
        print(engine.pid, flush=True)
engine.start(report)
engine.submit([Fetch(attempt=Attempt(1, 1), url={server.url!r}, folder={str(tmp_path)!r})])
time.sleep(60)
"""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(worker, 5)
    [part] = tmp_path.iterdir()
    size = part.stat().st_size
    assert 0 < size < len(big)
    assert part.read_bytes() == big[:size]


def test_ctrl_c_in_the_terminal_is_not_for_the_worker(bench, server, resource, body):
    bench.wait_for_worker()
    pid = bench.engine.pid
    server.answer = resource(body, rate=6e6)
    unit = bench.submit(server.url)
    bench.wait(lambda r: isinstance(r, Headers))
    os.kill(pid, signal.SIGINT)
    assert os.getpgid(pid) != os.getpgid(0)
    assert read(bench.end_of(unit.attempt)) == body
    assert bench.engine.pid == pid


def test_a_module_in_the_working_folder_does_no_harm(
    bench, server, resource, body, tmp_path, monkeypatch
):
    (tmp_path / "ssl.py").write_text("raise SystemExit('not that ssl')")
    bench.engine.close(5)
    monkeypatch.chdir(tmp_path)
    server.answer = resource(body)
    bench.engine = LocalEngine()
    bench.engine.start(bench.take)
    assert read(bench.fetch(server.url)) == body


def test_the_worker_loads_no_jupyter():
    script = (
        "import sys, jupyter_bgdl.engine.worker;"
        "print([m for m in ('jupyter_server', 'tornado', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_the_worker_inherits_no_other_descriptors(bench, tmp_path):
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        engine = LocalEngine()
        engine.start(bench.take)
        while engine.pid is None:
            time.sleep(0.01)  # nothing tells of a worker that was started
        open_files = set()
        for descriptor in Path(f"/proc/{engine.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                open_files.add(str(descriptor.readlink()))
        engine.close(5)
    assert open_files
    assert not any(name.endswith("secret") for name in open_files)


def test_progress_is_told_at_most_ten_times_a_second(bench, server, resource, big):
    server.answer = resource(big, rate=20e6)
    begun = time.monotonic()
    unit = bench.submit(server.url)
    bench.end_of(unit.attempt)
    seconds = time.monotonic() - begun
    told = [r.received for r in bench.of(Progress)]
    assert 3 <= len(told) <= 10 * seconds + 2
    assert told == sorted(told)
    checkpoints = [r.extents[0][1] for r in bench.of(Checkpoint)]
    assert len(checkpoints) >= seconds
    assert checkpoints == sorted(checkpoints)


def test_running_and_capacity(bench, server):
    released = threading.Event()
    server.answer = lambda x: released.wait(30)
    bench.engine.configure(Limits(units=2))
    assert bench.engine.capacity() == 2
    unit = bench.submit(server.url)
    assert bench.engine.running() == {unit.attempt}
    assert bench.engine.capacity() == 1
    bench.engine.stop([unit.attempt, Attempt(9, 9)])
    assert bench.end_of(unit.attempt).code == "stopped"
    assert bench.engine.running() == set()
    released.set()


def test_what_is_stopped_while_it_stands_in_line_holds_up_nobody(bench, server, resource, body):
    released, good = threading.Event(), resource(body)

    def answer(x):
        if x.target == "/first":
            assert released.wait(30)
        good(x)

    server.answer = answer
    bench.engine.configure(Limits(transfers=1))
    first = bench.submit(server.at("/first"))
    server.wait_for_requests(1)
    second, third = bench.submit(server.at("/second")), bench.submit(server.at("/third"))
    bench.engine.stop([second.attempt])
    assert bench.end_of(second.attempt).code == "stopped"
    released.set()
    assert read(bench.end_of(first.attempt)) == body
    assert read(bench.end_of(third.attempt)) == body
    assert [x.target for x in server.requests] == ["/first", "/third"]


def test_T12_no_query_or_userinfo_reaches_the_log(bench, caplog):
    line = "GET http://me:pw@host/a?X-Amz-Signature=abc#x failed, https://u:p@h:1/b too"
    assert redact(line) == "GET http://host/a?… failed, https://h:1/b too"
    caplog.set_level(logging.DEBUG)
    bench.fetch("http://me:hunter2@localhost:1/a?signature=hunter2", timeout=1)
    assert "hunter2" not in caplog.text


def test_T13_a_part_is_its_owners_alone(bench, server, resource, body):
    mask = os.umask(0)
    try:
        server.answer = resource(body)
        ready = bench.fetch(server.url)
    finally:
        os.umask(mask)
    assert Path(ready.part.path).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_D1_a_disk_that_fills_up(bench, server, resource, body, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)], check=True)
    others = disk / "others"

    def answer(x):
        x.head(Content_Length=len(body), ETag='"one"')
        x.send(body[: 1 << 20])
        bench.wait(lambda r: isinstance(r, Progress) and r.received == 1 << 20)
        others.write_bytes(bytes(2 << 20))
        x.send(body[1 << 20 :])

    try:
        server.answer = answer
        failed = bench.fetch(server.url, folder=disk)
        assert failed.code == "disk_space"
        assert 0 < failed.extents[0][1] <= 2 << 20
        assert bench.resume(server.url, folder=disk).code == "disk_space"
        assert len(server.requests) == 1, "there is no room: nobody needs to be asked"
        others.unlink()
        server.answer = resource(body)
        assert read(bench.resume(server.url, folder=disk)) == body
        assert server.requests[1].headers["range"] == f"bytes={failed.extents[0][1]}-"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_D1_a_disk_that_is_too_small(bench, server, resource, body, tmp_path):
    """Seen before the first byte, by what was expected even before the request."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], check=True)
    try:
        server.answer = resource(body)
        assert bench.fetch(server.url, folder=disk, expected=3 << 20).code == "disk_space"
        assert not server.requests
        assert bench.fetch(server.url, folder=disk).code == "disk_space"
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_resource_that_is_known_and_unchanged(bench, server):
    def answer(x):
        held = x.headers.get("if-none-match") or x.headers.get("if-modified-since")
        if held in ('W/"one"', MODIFIED):
            x.reply("304 Not Modified")
        else:
            x.reply("200 OK", b"new")

    server.answer = answer
    for known in Known(etag='W/"one"', last_modified=MODIFIED), Known(last_modified=MODIFIED):
        unit = bench.submit(server.url, known=known)
        end = bench.wait(
            lambda r, unit=unit: r.attempt == unit.attempt and isinstance(r, Unchanged)
        )
        assert end == Unchanged(unit.attempt)
    assert "if-modified-since" not in server.requests[0].headers, "the ETag decides alone"
    assert read(bench.fetch(server.url, known=Known(etag='"two"'))) == b"new"


def test_D5_short_writes_are_completed(tmp_path, monkeypatch, body):
    from jupyter_bgdl.engine.part import PartFile

    part = PartFile.create(str(tmp_path), ["part"])
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:100_000], at))
    part.write(memoryview(body), 0)
    part.write(b"end", len(body))
    assert Path(part.path).read_bytes() == body + b"end"
    part.close()


def test_frames_survive_being_cut(body):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        unit = Fetch(attempt=Attempt(1, 2), url="http://x/", folder="/")
        wire.send_command(ours, wire.Submit([unit]))
        ours.sendall(b"\0\0\0\x09half")
        ours.shutdown(socket.SHUT_WR)
        assert list(wire.commands(theirs)) == [wire.Submit([unit])]


def test_D4_a_failed_sync_is_never_vouched_for_later(tmp_path, monkeypatch):
    from jupyter_bgdl.engine import platform
    from jupyter_bgdl.engine.outcomes import Abort
    from jupyter_bgdl.engine.part import PartFile

    part = PartFile.create(str(tmp_path), ["part"])
    part.write(b"good", 0)
    assert part.sync()
    part.write(b"lost", 4)

    def fail(fd):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(platform, "sync_data", fail)
        with pytest.raises(Abort, match="disk_error"):
            part.sync()
    with pytest.raises(Abort, match="disk_error"):
        part.sync()
    assert part.extents == [(0, 4)]
    part.close()


def test_too_many_open_files_is_waited_out(bench, server, resource, body):
    """Whatever it is that can't be opened: nothing of it is final."""
    server.answer = resource(body)
    bench.wait_for_worker()
    pid = bench.engine.pid
    most = limits.prlimit(pid, limits.RLIMIT_NOFILE)[1]
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    codes = []
    for number in range(used, used + 12):
        limits.prlimit(pid, limits.RLIMIT_NOFILE, (number, most))
        end = bench.fetch(server.url, name=f"{number}")
        if isinstance(end, Ready):
            assert read(end) == body
            break
        codes.append(end.code)
    assert len(codes) >= 2
    assert set(codes) <= {"no_descriptors", "unreachable"}
    assert all(outcome_of(code).transient and outcome_of(code).tries is None for code in codes)
    assert isinstance(end, Ready)
    target = bench.folder / "published"
    limits.prlimit(pid, limits.RLIMIT_NOFILE, (3, most))
    assert bench.publish(end, target).code == "no_descriptors"
    limits.prlimit(pid, limits.RLIMIT_NOFILE, (most, most))
    bench.publish(end, target)
    assert target.read_bytes() == body


@pytest.mark.usefixtures("_no_proxies")
def test_the_limit_of_a_shell_is_not_the_workers(tmp_path):
    soft, hard = limits.getrlimit(limits.RLIMIT_NOFILE)
    engine = LocalEngine()
    serves = threading.Event()
    try:
        limits.setrlimit(limits.RLIMIT_NOFILE, (min(512, hard), hard))
        engine.start(lambda reports: serves.set())
        engine.submit([Fetch(attempt=Attempt(1, 1), url="nonsense", folder=str(tmp_path))])
        assert serves.wait(20)
        assert limits.prlimit(engine.pid, limits.RLIMIT_NOFILE)[0] == min(hard, 1 << 16)
    finally:
        limits.setrlimit(limits.RLIMIT_NOFILE, (soft, hard))
        engine.close(5)
