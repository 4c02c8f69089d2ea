"""Runs code in a kernel of this server, over a client of its own."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from jupyter_client.asynchronous.client import AsyncKernelClient

_READY: Final = 60.0
ANSWER: Final = 10.0
"""Seconds that a kernel which is said to be idle may take to answer."""


class KernelClient:
    """Made by :func:`connected`."""

    def __init__(self, client: AsyncKernelClient) -> None:
        self._client = client

    async def run(self, code: str, output: Callable[[dict[str, Any]], None]) -> bool:
        """Run a cell, whatever the history; False: it raised. ``output`` gets what it published."""
        reply = await self._client.execute_interactive(
            code, allow_stdin=False, store_history=False, stop_on_error=False, output_hook=output
        )
        return bool(reply["content"]["status"] == "ok")

    async def ask(self, expression: str) -> Any:
        """The value, a literal, of an expression in the kernel. Raises :class:`TimeoutError` if it
        is busy after all, and :class:`RuntimeError` with what the expression raised."""
        content = await self._answer(user_expressions={"value": expression})
        value = content["user_expressions"]["value"]
        if value["status"] != "ok":
            raise RuntimeError(f"{value['ename']}: {value['evalue']}")
        return ast.literal_eval(value["data"]["text/plain"])

    async def executed(self) -> int:
        """How many cells were run in it since it started."""
        return int((await self._answer())["execution_count"])

    async def _answer(self, **request: Any) -> dict[str, Any]:
        # An empty, silent cell: the hooks of the shell do not hear of it.
        reply = await self._client.execute(
            "",
            silent=True,
            store_history=False,
            allow_stdin=False,
            stop_on_error=False,
            reply=True,
            timeout=ANSWER,
            **request,
        )
        content: dict[str, Any] = reply["content"]
        return content


@asynccontextmanager
async def connected(kernels: Any, kernel_id: str) -> AsyncIterator[KernelClient]:
    """A client of that kernel, which answers."""
    client = AsyncKernelClient()
    client.load_connection_info(kernels.get_kernel(kernel_id).get_connection_info(session=False))
    # A second, its default, is less than a kernel takes to start on a machine that is busy.
    client.hb_channel.time_to_dead = _READY
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=_READY)
        yield KernelClient(client)
    finally:
        client.stop_channels()
        # Else two descriptors are lost with each client.
        client.context.destroy(linger=0)
