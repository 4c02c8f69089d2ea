"""``make demo`` shows the main job, and fails clearly where it can't."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fileserver import FileServer, content

from jupyter_bgdl.process import process_started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def run_demo(repository: Path, *arguments: str) -> tuple[int | None, str]:
    """Its exit status and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo", *arguments),
        cwd=repository,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def processes_with(words: bytes) -> list[str]:
    """Processes that have ``words`` in their environment or command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if words in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # It ended meanwhile, or is somebody else's.
    return found


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


async def test_a_killed_kernel_costs_neither_the_file_nor_the_callback(repository: Path) -> None:
    status, output = await run_demo(repository)
    assert output.splitlines()[-1] == "demo: ok", output
    assert status == 0
    assert "killed with SIGKILL" in output
    assert "bytes keep arriving" in output
    pids = [int(pid) for pid in re.findall(r"(?:kernel|server) (\d+)", output)]
    assert len(set(pids)) == 3, "a server and two kernels"
    assert [pid for pid in pids if process_started(pid) is not None] == []
    assert processes_with(b"bgdl-demo-") == []


async def test_any_url_will_do(repository: Path, files: FileServer) -> None:
    url = files.add("some file.bin", content(12_000_000), rate=2_000_000.0).replace(" ", "%20")
    files.resources["/some%20file.bin"] = files.resources.pop("/some file.bin")
    sha256 = files["some%20file.bin"].sha256
    status, output = await run_demo(repository, "--url", url, "--sha256", sha256)
    assert output.splitlines()[-1] == "demo: ok", output
    assert status == 0
    assert sha256 in output


async def test_a_wrong_digest_fails_with_a_message(repository: Path, files: FileServer) -> None:
    url = files.add("wrong.bin", content(12_000_000), rate=3_000_000.0)
    status, output = await run_demo(repository, "--url", url, "--sha256", "0" * 64)
    assert status == 1, output
    assert "demo: failed: ChecksumMismatch" in output
    assert "demo: ok" not in output
    assert processes_with(b"bgdl-demo-") == []
