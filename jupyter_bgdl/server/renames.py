"""Hears from the Jupyter server which notebooks were renamed or moved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

_CONTENTS: Final = "https://events.jupyter.org/jupyter_server/contents_service/v1"


def follow_renames(events: Any, renamed: Callable[[str, str], Awaitable[None]]) -> None:
    """``renamed(old, new)`` is called with paths of the contents API, of files and folders."""

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if data.get("action") == "rename" and data.get("source_path") and data.get("path"):
            await renamed(data["source_path"].strip("/"), data["path"].strip("/"))

    events.add_listener(schema_id=_CONTENTS, listener=listen)
