"""Operations that tell about the server."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib import metadata
from pathlib import Path

from jupyter_bgdl.model import ServerInfo
from jupyter_bgdl.server.operations import Call, Operation


@cache
def version() -> str:
    """Of the distribution; ``0+unknown`` in a checkout that is only on the path."""
    try:
        return metadata.version("jupyter_bgdl")
    except metadata.PackageNotFoundError:
        return "0+unknown"


async def info(call: Call) -> ServerInfo:
    root = None
    if call.root:
        root = await asyncio.to_thread(_resolved, call.root)
    return ServerInfo(version=version(), root=root)


def _resolved(folder: str) -> str:
    return str(Path(folder).expanduser().resolve())


OPERATIONS = (
    Operation(
        method="GET",
        path="/bgdl",
        name="info",
        summary="Version of the extension and of its protocol",
        action="read",
        run=info,
        response=ServerInfo,
    ),
)
