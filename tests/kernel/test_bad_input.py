"""Bad input is a typed error in the cell, said in one line, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from support.fileserver import FileServer, content
from support.jupyter import TOKEN, CellError, JupyterServer, Kernel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterServer) -> Iterator[Kernel]:
    """Nothing that these cells do may spoil it for the next."""
    kernel = jupyter.start_kernel("bad-input.ipynb")
    kernel.run("import jupyter_bgdl as bgdl")
    yield kernel
    kernel.shutdown()


def tree(jupyter: JupyterServer) -> list[str]:
    """Every file and folder where notebooks and downloads are."""
    return sorted(str(p.relative_to(jupyter.root)) for p in jupyter.root.rglob("*"))


def sessions(jupyter: JupyterServer) -> list[str]:
    return [session["identifier"] for session in jupyter.get("bgdl/sessions")["sessions"]]


@contextmanager
def refused(name: str, words: str) -> Iterator[None]:
    """The cell raises that type, and says those words in one line."""
    with pytest.raises(CellError, match=words) as raised:
        yield
    assert raised.value.name == name
    assert "\n" not in raised.value.value


GOOD = "'https://127.0.0.1:1/a.bin'"


@pytest.mark.parametrize(
    ("call", "name", "words"),
    [
        ("download('ftp://host/a')", "InvalidRequest", "scheme 'ftp'"),
        ("download('file:///etc/passwd')", "InvalidRequest", "scheme 'file'"),
        ("download('/etc/passwd')", "InvalidRequest", "this has none"),
        ("download('http://[::1/a')", "InvalidRequest", "cannot be parsed"),
        ("download('http://')", "InvalidRequest", "no host"),
        ("download('http://host:port/a')", "InvalidRequest", "cannot be parsed"),
        ("download('http://host/a b')", "InvalidRequest", "a space"),
        ("download(7)", "InvalidRequest", "a URL or a Request"),
        (f"download({GOOD}, to='')", "InvalidRequest", "has to be a path"),
        (f"download({GOOD}, to='a\\0b')", "InvalidRequest", "has to be a path"),
        (f"download({GOOD}, checksum='crc32:00')", "InvalidRequest", "one of sha256"),
        (f"download({GOOD}, checksum='sha256')", "InvalidRequest", "one of sha256"),
        (f"download({GOOD}, checksum='sha256:00ff')", "InvalidRequest", "64 .* this one 4"),
        (f"download({GOOD}, checksum='md5:' + 32 * 'g')", "InvalidRequest", "not hexadecimal"),
        (f"download({GOOD}, if_exists='ask')", "InvalidRequest", "'keep'.*not 'ask'"),
        (f"download({GOOD}, headers={{'A B': '1'}})", "InvalidRequest", "header"),
        (f"download({GOOD}, headers={{'A': 'x\\r\\nB: y'}})", "InvalidRequest", "header"),
        (f"download({GOOD}, to='new/' + 256 * 'n')", "DestinationNotAllowed", "255 bytes"),
        (f"download_all({GOOD})", "InvalidRequest", "several sources"),
        (f"download_all([{GOOD}, 'ftp://host/b'], to='new/')", "InvalidRequest", "'ftp'"),
        ("download_task('ftp://host/a')", "InvalidRequest", "scheme 'ftp'"),
        (f"download({GOOD}, colour='red')", "TypeError", "colour"),
    ],
)
def test_a_refused_request_makes_no_task_and_no_file(
    kernel: Kernel, jupyter: JupyterServer, call: str, name: str, words: str
) -> None:
    kernel.run("session = bgdl.background_session('refused')")
    before = tree(jupyter)
    with refused(name, words):
        kernel.run(f"session.{call}")
    assert kernel.run("print(session.all_tasks(completed=True))") == "[]\n"
    assert tree(jupyter) == before


def test_a_destination_below_a_file_is_not_allowed(kernel: Kernel, jupyter: JupyterServer) -> None:
    (jupyter.root / "plain").write_text("a file")
    kernel.run("session = bgdl.background_session('below')")
    before = tree(jupyter)
    for to in ("plain/", "plain/a.bin", "plain/x/y/"):
        with refused("DestinationNotAllowed", "plain"):
            kernel.run(f"session.download({GOOD}, to={to!r})")
    assert kernel.run("print(session.all_tasks(completed=True))") == "[]\n"
    assert tree(jupyter) == before


@pytest.fixture
def read_only(jupyter: JupyterServer) -> Iterator[Path]:
    """A folder that even root can't write to."""
    folder = jupyter.root / "read-only"
    folder.mkdir()
    if os.getuid() == 0:
        bound = _run("mount", "--bind", str(folder), str(folder))
        made = bound and _run("mount", "-o", "remount,ro,bind", str(folder))
        if not made:
            if bound:
                _run("umount", str(folder))
            pytest.skip("root without the right to mount: nothing is read-only for it")
        yield folder
        assert _run("umount", str(folder))
    else:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)


def test_a_read_only_destination_is_not_allowed(
    kernel: Kernel, jupyter: JupyterServer, read_only: Path
) -> None:
    kernel.run("session = bgdl.background_session('read-only')")
    before = tree(jupyter)
    for to in ("read-only/", "read-only/a.bin", "read-only/new/a.bin"):
        with refused("DestinationNotAllowed", "read-only"):
            kernel.run(f"session.download({GOOD}, to={to!r})")
    assert kernel.run("print(session.all_tasks(completed=True))") == "[]\n"
    assert tree(jupyter) == before


def test_an_existing_destination_is_refused_and_untouched(
    kernel: Kernel, jupyter: JupyterServer, files: FileServer
) -> None:
    url = files.add("mine.bin", content(1000))
    (jupyter.root / "mine.bin").write_text("mine")
    kernel.run("session = bgdl.background_session('exists')")
    before = tree(jupyter)
    with refused("DestinationExists", "mine.bin"):
        kernel.run(f"session.download({url!r}, to='mine.bin')")
    assert kernel.run("print(session.all_tasks(completed=True))") == "[]\n"
    # Known only when the response has named the file: the task fails with the same error.
    with refused("DestinationExists", "mine.bin"):
        kernel.run(f"session.download({url!r}).result(timeout=30)")
    deadline = time.monotonic() + 10
    while tree(jupyter) != before:  # the part goes when the engine has let go of it
        assert time.monotonic() < deadline, tree(jupyter)
        time.sleep(0.05)
    assert (jupyter.root / "mine.bin").read_text() == "mine"


@pytest.mark.parametrize(
    "identifier", ["", 256 * "n", "a/b", "a\nb", "\x7f", "bell\a"], ids=lambda text: repr(text)[:9]
)
def test_a_bad_identifier_makes_no_session(
    kernel: Kernel, jupyter: JupyterServer, identifier: str
) -> None:
    before = sessions(jupyter), tree(jupyter)
    with refused("InvalidRequest", "1 to 255 printable characters"):
        kernel.run(f"bgdl.background_session({identifier!r})")
    with refused("InvalidRequest", "1 to 255 printable characters"):
        kernel.run(f"bgdl.SessionConfiguration.background({identifier!r})")
    assert (sessions(jupyter), tree(jupyter)) == before


@pytest.mark.parametrize("identifier", [".", ".."])
def test_an_identifier_that_is_a_folder_makes_no_session(
    kernel: Kernel, jupyter: JupyterServer, identifier: str
) -> None:
    before = sessions(jupyter), tree(jupyter)
    with refused("InvalidRequest", "identifier"):
        kernel.run(f"bgdl.background_session({identifier!r})")
    assert (sessions(jupyter), tree(jupyter)) == before


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        ("bgdl.background_session('o', colour='red')", "TypeError", "no option 'colour'.*proxy"),
        ("bgdl.background_session('o', proxy=7)", "InvalidRequest", "proxy: "),
        ("bgdl.background_session('o', timeout_for_request='1')", "InvalidRequest", "timeout_for"),
        ("bgdl.background_session('o', timeout_for_request=-1)", "InvalidRequest", "timeout_for"),
        ("bgdl.background_session(7)", "InvalidRequest", "is a string, not int"),
        ("bgdl.Session(bgdl.SessionConfiguration('o'), object())", "TypeError", "SessionDelegate"),
        (
            "class D(bgdl.SessionDelegate):\n    def task_did_finish(self): pass",
            "TypeError",
            "no method 'task_did_finish'.*task_did_complete",
        ),
    ],
)
def test_what_there_is_not_is_named(
    kernel: Kernel, jupyter: JupyterServer, code: str, name: str, words: str
) -> None:
    before = tree(jupyter)
    with refused(name, words):
        kernel.run(code)
    assert tree(jupyter) == before


def test_delegate_and_decorators_exclude_each_other(kernel: Kernel) -> None:
    kernel.run(
        "configuration = bgdl.SessionConfiguration('both')\n"
        "session = bgdl.Session(configuration, bgdl.SessionDelegate())"
    )
    with refused("InvalidRequest", "has a delegate"):
        kernel.run("session.on_finish(print)")
    kernel.run("other = bgdl.background_session('other'); other.on_error(print)")
    with refused("InvalidRequest", "has decorated handlers"):
        kernel.run("bgdl.background_session('other', delegate=bgdl.SessionDelegate())")


def test_a_404_leaves_no_file(kernel: Kernel, jupyter: JupyterServer, files: FileServer) -> None:
    url = files.add("nothing.bin", b"an error page", status=404)
    kernel.run("session = bgdl.background_session('missing')")
    before = tree(jupyter)
    with refused("HTTPStatusError", "404"):
        kernel.run(f"session.download({url!r}, to='there/nothing.bin').result(timeout=30)")
    assert [path for path in tree(jupyter) if path not in before and path != "there"] == []


def test_a_time_out_is_still_running_and_the_download_goes_on(
    kernel: Kernel, files: FileServer
) -> None:
    url = files.add("slow.bin", content(1000), hold_at=0)
    kernel.run("session = bgdl.background_session('slow')")
    kernel.run(f"task = session.download({url!r}, to='slow/')")
    with refused("StillRunning", "slow.bin is not done after 0.2 s"):
        kernel.run("task.result(timeout=0.2)")
    with refused("StillRunning", "not done after 0.2 s"):
        kernel.run("session.wait(timeout=0.2)")
    assert "caught" in kernel.run(
        "try: task.result(0.1)\nexcept TimeoutError: print('caught', task.state)"
    )
    files.hold("slow.bin", None)
    assert kernel.run("print(task.result(timeout=30).name)") == "slow.bin\n"


SCRIPT = """
import sys, jupyter_bgdl as bgdl
try:
    bgdl.background_session("nowhere", {arguments})
except bgdl.BackgroundTransferError as error:
    print(type(error).__name__, str(error))
"""


def script(folder: Path, *prefix: str, **arguments: str) -> str:
    """What a plain script is told that attaches from that folder, knowing nothing else."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "BGDL"))}
    code = SCRIPT.format(arguments=", ".join(f"{k}={v!r}" for k, v in arguments.items()))
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_no_server_says_what_to_do(tmp_path: Path) -> None:
    told = script(tmp_path)
    assert told.startswith("ServerNotFound No Jupyter server was found.")
    assert "server_url=" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no.such.host.invalid/"])
def test_a_server_that_does_not_answer_is_named(tmp_path: Path, url: str) -> None:
    told = script(tmp_path, server_url=url, token="t")
    assert told.startswith(("ServerNotFound", "ServerUnavailable"))
    assert url in told
    assert told.count("\n") == 1


def test_a_url_that_is_none_is_no_server(tmp_path: Path) -> None:
    told = script(tmp_path, server_url="localhost:8888")
    assert told.startswith("ServerNotFound server_url= has to begin with http://")


def test_a_wrong_token_is_not_authorized(jupyter: JupyterServer, tmp_path: Path) -> None:
    told = script(tmp_path, server_url=jupyter.url, token="wrong")
    assert told.startswith("NotAuthorized")
    assert "wrong" not in told, "no secret in a message"


class _Bare(JupyterServer):
    """A Jupyter server on which jupyter_bgdl is not enabled."""

    def _answers(self, info: Path) -> bool:
        try:
            self.url = json.loads(info.read_text())["url"].replace("localhost", "127.0.0.1")
            self.get("api/status")
        except (ValueError, OSError):
            return False
        return True


def test_a_server_without_the_extension_says_what_to_install_where(tmp_path: Path) -> None:
    extensions = "--ServerApp.jpserver_extensions={'jupyter_bgdl': False}"
    with _Bare(tmp_path / "bare", arguments=(extensions,)) as server:
        kernel = server.start_kernel()
        with refused("ExtensionMissing", "pip install jupyter_bgdl.*on a hub"):
            kernel.run("import jupyter_bgdl; jupyter_bgdl.background_session('none')")
        kernel.shutdown()
        assert not (server.home / "data" / "bgdl").exists()
        assert tree(server) == []


class _OtherVersion(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"name": "jupyter_bgdl", "version": "98.0", "protocol": 99}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


def test_a_server_of_another_version_is_incompatible(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), _OtherVersion)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        told = script(tmp_path, server_url=f"http://127.0.0.1:{server.server_port}", token="t")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert told.startswith("IncompatibleServer")
    assert "98.0 (protocol 99)" in told
    assert told.count("\n") == 1


def test_a_kernel_on_another_filesystem_is_told_so(jupyter: JupyterServer) -> None:
    if os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root gives a script a file system of its own")
    folder = jupyter.root / "elsewhere"
    folder.mkdir()
    mount = 'mount -t tmpfs none "$0" && cd "$0" && exec "$@"'
    prefix = ("unshare", "-m", "sh", "-c", mount, str(folder))
    if not _run(*prefix, "true"):
        pytest.skip("root without the right to mount")
    before = sessions(jupyter), tree(jupyter)
    told = script(folder, *prefix, server_url=jupyter.url, token=TOKEN)
    assert told.startswith("OtherFilesystem")
    assert told.count("\n") == 1
    assert (sessions(jupyter), tree(jupyter)) == before


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
