"""One hub with two users' servers for a module."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.jupyterhub import OWNER, VISITOR, Hub
from support.serving import files, open_socket

__all__ = ["files", "hub", "open_socket"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(tmp_path_factory.mktemp("hub")) as running:
        with ThreadPoolExecutor(2) as both:
            list(both.map(running.start_server, (OWNER, VISITOR)))
        yield running
