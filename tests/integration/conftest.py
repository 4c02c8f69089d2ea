"""Fixtures for the tests that run the whole product: real server, real kernels, real bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fileserver import FileServer
from support.jupyter import JupyterServer


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[JupyterServer]:
    with JupyterServer(tmp_path / "jupyter") as server:
        yield server
