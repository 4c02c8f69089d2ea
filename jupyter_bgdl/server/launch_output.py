"""What a launch cell publishes, as text: for the session's log, or to be shown as a whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LINE: Final = 65536
"""Characters that one line of the log may have."""
MOST: Final = 2**20
"""Characters that are kept of one launch."""


def text_of(message: dict[str, Any]) -> str:
    """What a message of the IOPub channel shows."""
    content = message["content"]
    match message["msg_type"]:
        case "stream":
            return str(content["text"])
        case "error":
            return _ANSI.sub("", "\n".join(content["traceback"])) + "\n"
        case "execute_result" | "display_data":
            return str(content["data"].get("text/plain", "")) + "\n"
    return ""


class LaunchOutput:
    """Gathers text, and writes it a few times a second at most."""

    def __init__(self, write: Callable[[str], Awaitable[Any]]) -> None:
        self._write = write
        self._text: list[str] = []
        self._left = MOST
        self._order = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    def __call__(self, message: dict[str, Any]) -> None:
        text = text_of(message)
        if not text or self._left <= 0:
            return
        if len(text) > self._left:
            text = text[: self._left] + "\n… and more, which is not kept.\n"
        self._left -= len(text)
        self._text.append(text)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._soon())

    async def _soon(self) -> None:
        await asyncio.sleep(0.2)
        # Not to be cancelled half way.
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def _flush(self) -> None:
        async with self._order:
            text = "".join(self._text)
            self._text.clear()
            for start in range(0, len(text), _LINE):
                await self._write(text[start : start + _LINE])

    async def close(self) -> None:
        """Write the rest, at once."""
        if self._writer is not None:
            self._writer.cancel()
        await self._flush()
