"""A real server for each module; what it is made of is in ``support/serving.py``."""

from __future__ import annotations

from support.serving import (
    attach,
    files,
    identity,
    make_server,
    open_socket,
    server,
)

__all__ = ["attach", "files", "identity", "make_server", "open_socket", "server"]
