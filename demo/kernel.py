"""A notebook's kernel, started through a Jupyter server and driven over its own sockets."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

from demo.jupyter import JupyterServer

CELL_TIMEOUT = 120.0


class CellFailed(RuntimeError):
    """A cell raised."""


class NotebookKernel:
    """Runs cells; use :func:`running_kernel`. ``output`` gathers what the kernel shows."""

    def __init__(self, client: AsyncKernelClient, session_id: str, kernel_id: str) -> None:
        self.client = client
        self.session_id = session_id
        self.id = kernel_id
        self.pid = 0
        self.output: list[str] = []
        self._news = asyncio.Condition()
        self._idle: set[str] = set()
        self._listener: asyncio.Task[None] | None = None

    async def _listen(self) -> None:
        """Collect what the kernel publishes, also what no running cell asked for."""
        while True:
            message = await self.client.get_iopub_msg()
            content = message["content"]
            async with self._news:
                match message["msg_type"]:
                    case "stream":
                        self.output.append(content["text"])
                    case "execute_result" | "display_data":
                        self.output.append(content["data"].get("text/plain", ""))
                    case "status" if content["execution_state"] == "idle":
                        self._idle.add(message["parent_header"].get("msg_id", ""))
                self._news.notify_all()

    async def _until(self, condition: Callable[[], bool], timeout: float) -> None:
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(condition)

    async def run(
        self,
        code: str,
        timeout: float = CELL_TIMEOUT,
        *,
        expressions: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run a cell to its end, output included; the reply. Raises :class:`CellFailed`."""
        identifier = self.client.execute(
            code, allow_stdin=False, user_expressions=expressions or {}
        )
        async with asyncio.timeout(timeout):
            while True:
                reply = await self.client.get_shell_msg()
                if reply["parent_header"].get("msg_id") == identifier:
                    break
        content: dict[str, Any] = reply["content"]
        if content["status"] != "ok":
            words = f"{content.get('ename')}: {content.get('evalue')}"
            raise CellFailed(f"{words}\nin the cell\n{code}")
        await self._until(lambda: identifier in self._idle, CELL_TIMEOUT)
        return content

    async def start(self) -> None:
        # Without its heartbeat: a kernel that starts slowly on a busy machine counts as dead to it.
        self.client.start_channels(hb=False)
        await self.client.wait_for_ready(timeout=60)
        self._listener = asyncio.create_task(self._listen())
        reply = await self.run("import os", expressions={"pid": "os.getpid()"})
        self.pid = int(reply["user_expressions"]["pid"]["data"]["text/plain"])

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        os.kill(self.pid, signal.SIGKILL)

    async def close(self) -> None:
        if self._listener:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        self.client.stop_channels()
        self.client.context.destroy(linger=0)


@asynccontextmanager
async def running_kernel(server: JupyterServer, notebook: str) -> AsyncIterator[NotebookKernel]:
    """A kernel for ``notebook`` (path below the server's root), as JupyterLab would start it."""
    session = await server.request(
        "POST",
        "api/sessions",
        {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}},
    )
    kernel_id = session["kernel"]["id"]
    file = server.runtime / f"kernel-{kernel_id}.json"
    client = AsyncKernelClient(connection_file=str(file))
    client.load_connection_file()
    kernel = NotebookKernel(client, session["id"], kernel_id)
    try:
        await kernel.start()
        yield kernel
    finally:
        await kernel.close()
        await server.request("DELETE", f"api/sessions/{session['id']}")
