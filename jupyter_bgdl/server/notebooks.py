"""The notebooks of the server and their kernels, as its launcher sees them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

_READY: Final = 60.0
"""Seconds that a kernel may take to start."""


class Notebooks:
    """Speaks to the server's own managers, so that a notebook which is opened meanwhile attaches
    to the kernel that was started for it."""

    def __init__(self, serverapp: Any) -> None:
        self._sessions = serverapp.session_manager
        self.kernels = serverapp.kernel_manager
        self._contents = serverapp.contents_manager

    async def of_kernel(self, kernel_id: str) -> tuple[str, str] | None:
        """The notebook's path now, and the name of the kernel's specification."""
        for session in await self._sessions.list_sessions():
            kernel = session.get("kernel") or {}
            if kernel.get("id") == kernel_id and session["type"] == "notebook":
                return session["path"], kernel["name"]
        return None

    async def kernel_of(self, path: str) -> str | None:
        """The kernel that an opened notebook attaches to."""
        for session in await self._sessions.list_sessions():
            if session["path"] == path and session["type"] == "notebook" and session.get("kernel"):
                kernel_id: str = session["kernel"]["id"]
                return kernel_id if kernel_id in self.kernels else None
        return None

    async def exists(self, path: str) -> bool:
        try:
            return bool(await ensure_async(self._contents.file_exists(path)))
        except HTTPError:
            return False  # Hidden by now, or outside of what the server shows.

    async def start(self, path: str, kernel_name: str) -> str:
        """A kernel for that notebook, as opening it would start one."""
        session = await self._sessions.create_session(
            path=path, name=_name(path), type="notebook", kernel_name=kernel_name
        )
        kernel_id: str = session["kernel"]["id"]
        return kernel_id

    async def start_apart(self, path: str, kernel_name: str) -> str:
        """A kernel that looks to its code like the notebook's, and that nobody attaches to."""
        kernel_id: str = await ensure_async(
            self.kernels.start_kernel(
                path=path,
                kernel_name=kernel_name,
                env=self._sessions.get_kernel_env(path, _name(path)),
            )
        )
        return kernel_id

    async def shut_down(self, kernel_id: str) -> None:
        """And forget that the notebook had it."""
        if kernel_id in self.kernels:
            # One that died is just being started again, and cannot be shut down before it is there.
            ready = asyncio.wrap_future(self.kernels.get_kernel(kernel_id).ready)
            await asyncio.wait({ready}, timeout=_READY)
        for session in await self._sessions.list_sessions():
            if (session.get("kernel") or {}).get("id") == kernel_id:
                await self._sessions.delete_session(session["id"])
                return
        if kernel_id in self.kernels:
            await ensure_async(self.kernels.shutdown_kernel(kernel_id))

    def state(self, kernel_id: str) -> str:
        """``starting``, ``idle``, ``busy``, … or ``dead``."""
        if kernel_id not in self.kernels:
            return "dead"
        return str(getattr(self.kernels.get_kernel(kernel_id), "execution_state", "starting"))

    def is_open(self, kernel_id: str) -> bool:
        """Whether a page (or another front end) is connected to it."""
        return kernel_id in self.kernels and bool(
            self.kernels.kernel_model(kernel_id)["connections"]
        )

    def process(self, kernel_id: str) -> int | None:
        """Tells a restarted kernel from the one before."""
        provisioner = getattr(self.kernels.get_kernel(kernel_id), "provisioner", None)
        return getattr(provisioner, "pid", None)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
