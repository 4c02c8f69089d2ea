"""Operations that tell about the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jupyter_bgdl import __version__
from jupyter_bgdl.model import ServerInfo
from jupyter_bgdl.server.operations import Call, Operation


async def info(call: Call) -> ServerInfo:
    root = None
    if call.root:
        root = await asyncio.to_thread(_resolved, call.root)
    return ServerInfo(version=__version__, root=root)


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
