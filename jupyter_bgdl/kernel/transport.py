"""What carries a kernel's calls and messages: HTTP to a server, or its own process."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class Socket(Protocol):
    """An open channel. Both methods are called in the background thread."""

    def read_message(self) -> Awaitable[str | bytes | None]:
        """The next one; None: it is closed."""

    def write_message(self, message: str) -> object:
        """Returns at once. Raises whatever, if it is closed."""


class Transport(Protocol):
    """Coroutines run in the background thread. They raise what the other end says, or one of the
    connection errors."""

    is_in_process: bool
    """Whether the transfers end with this process."""

    @property
    def place(self) -> str:
        """Where the other end is, for messages to a person."""

    def find_again(self) -> None:
        """After a loss: it may have come back elsewhere. Raises ServerNotFound."""

    async def ask(self, method: str, path: str, body: bytes | None) -> bytes:
        """One operation: JSON to it, what it answers back. ``path``: below the base URL."""

    async def open_channel(self) -> Socket: ...
