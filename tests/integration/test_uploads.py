"""A large upload to the reference tus server, while what sends it is killed."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.jupyter import JupyterServer
from support.uploads import TusServer

BLOCK = random.Random(14).randbytes(1 << 20)
BLOCKS = 400
LIMIT = "80 MB"
"""A second, so that there is a middle to be killed in."""


@pytest.fixture
def tus(tmp_path: Path) -> Iterator[TusServer]:
    if why := TusServer.missing():
        pytest.skip(why)
    with TusServer(tmp_path / "store") as server:
        yield server


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[JupyterServer]:
    limit = f"--BackgroundTransfers.bandwidth_limit={LIMIT}"
    with JupyterServer(tmp_path / "jupyter", arguments=(limit,)) as server:
        yield server


def until(holds: Callable[[], Any], timeout: float = 60) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.mark.slow
def test_U1_the_server_is_killed_in_the_middle_and_the_upload_goes_on(
    jupyter: JupyterServer, tus: TusServer
) -> None:
    path = jupyter.root / "big.bin"
    with path.open("wb") as file:
        for number in range(BLOCKS):
            file.write(number.to_bytes(8, "big") + BLOCK)
    jupyter.attach("uploads")
    spec = {"request": {"url": tus.url, "method": "POST"}, "from_file": str(path)}
    jupyter.post("bgdl/sessions/uploads/tasks", {"tasks": [spec]})

    def stored() -> int:
        return sum(file.stat().st_size for file in tus.files())

    size = path.stat().st_size
    until(lambda: stored() > size // 4)
    jupyter.kill()
    before = stored()
    assert 0 < before < size
    jupyter.start()
    until(lambda: jupyter.task("uploads")["state"] == "completed")
    task = jupyter.task("uploads")
    assert (task["error"], task["kind"], task["received"]) == (None, "upload", size)
    (file,) = tus.files()
    with file.open("rb") as one, path.open("rb") as other:
        assert hashlib.file_digest(one, "sha256").digest() == (
            hashlib.file_digest(other, "sha256").digest()
        )
