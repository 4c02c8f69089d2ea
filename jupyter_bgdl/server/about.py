"""Operations that tell about the server."""

from __future__ import annotations

from functools import cache
from importlib import metadata

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
    return ServerInfo(version=version())


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
