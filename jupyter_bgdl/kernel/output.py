"""Where a callback's output goes: the cell that registered it, and the session's log."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class Place:
    """The cell that is running now, as a place for output later.

    ipykernel 7 keeps the parent of output in context variables, so a copy of the context is the
    cell. ipykernel 6 keeps it on the streams.
    """

    def __init__(self, context: contextvars.Context, parents: dict[str, Any]) -> None:
        self._context = context
        self._parents = parents

    @classmethod
    def here(cls) -> Place:
        parents = {}
        for name in ("stdout", "stderr"):
            parent = getattr(getattr(sys, name), "parent_header", None)
            if parent:
                parents[name] = parent
        return cls(contextvars.copy_context(), parents)

    def run(self, call: Callable[[], Awaitable[None] | None], note: Callable[[str], None]) -> Any:
        """Call it there. What it prints is also handed to ``note``, in one piece, at the end.

        An awaitable is returned as one that does the rest there. Raises what ``call`` raises.
        """
        context = self._context.copy()
        with self._printing(note):
            result = context.run(call)
        return None if result is None else self._rest(result, context, note)

    async def _rest(
        self, result: Awaitable[None], context: contextvars.Context, note: Callable[[str], None]
    ) -> None:
        with self._printing(note):
            await asyncio.get_running_loop().create_task(_await(result), context=context)

    def show_traceback(self, error: BaseException, note: Callable[[str], None]) -> str:
        """Show ``error`` there, and return its traceback as text."""
        text = "".join(traceback.format_exception(error))

        def show() -> None:
            print(text, file=sys.stderr, end="")

        with self._printing(note):
            self._context.copy().run(show)
        return text

    @contextmanager
    def _printing(self, note: Callable[[str], None]) -> Iterator[None]:
        kept: list[tuple[Any, Any]] = []
        for name, parent in self._parents.items():
            stream = getattr(sys, name)
            if hasattr(stream, "set_parent") and not _has_context(stream):
                kept.append((stream, stream.parent_header))
                stream.parent_header = parent
        tees = {name: _Tee(getattr(sys, name)) for name in ("stdout", "stderr")}
        for name, tee in tees.items():
            setattr(sys, name, tee)
        try:
            yield
        finally:
            for name, tee in tees.items():
                if getattr(sys, name) is tee:
                    setattr(sys, name, tee.stream)
            for stream, parent in kept:
                stream.parent_header = parent
            if text := "".join(tee.text.getvalue() for tee in tees.values()):
                note(text)


class _Tee:
    """A stream that also remembers. Everything else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self.stream = cast(TextIO, stream)
        self.text = io.StringIO()

    def write(self, text: str) -> int:
        self.text.write(text)
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


async def _await(result: Awaitable[None]) -> None:
    await result


def _has_context(stream: Any) -> bool:
    return hasattr(stream, "_parent_header")
