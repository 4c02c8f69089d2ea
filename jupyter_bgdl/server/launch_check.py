"""Runs a launch cell in a fresh kernel, to see whether it needs anything that is not in it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from jupyter_bgdl.launches import LaunchCell, LaunchCheck
from jupyter_bgdl.server.kernel_client import connected
from jupyter_bgdl.server.launch_output import text_of
from jupyter_bgdl.server.launch_run import begin
from jupyter_bgdl.server.notebooks import Notebooks

_LIMIT: Final = 50.0
"""Seconds; the kernel that asks waits no longer than a minute for an answer."""
_MOST: Final = 2**18
"""Characters of output that are kept."""


async def check(notebooks: Notebooks, identifier: str, cell: LaunchCell) -> LaunchCheck:
    """In a kernel of its own, which only looks at the session: whoever owns it goes on."""
    kernel = await notebooks.start_apart(cell.notebook, cell.kernel_name)
    shown: list[str] = []

    def output(message: dict[str, Any]) -> None:
        shown.append(text_of(message))

    try:
        async with asyncio.timeout(_LIMIT), connected(notebooks.kernels, kernel) as client:
            await client.ask(begin(identifier, rehearses=True))
            ran_well = await client.run(cell.code, output)
    except RuntimeError as error:
        return LaunchCheck(status="error", output=str(error))
    except TimeoutError:
        return LaunchCheck(status="timeout", output="".join(shown)[:_MOST])
    finally:
        await notebooks.shut_down(kernel)
    return LaunchCheck(status="ok" if ran_well else "error", output="".join(shown)[:_MOST])
