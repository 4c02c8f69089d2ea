"""Whether the kernel that owns a session still lives."""

from __future__ import annotations

from typing import Any

from jupyter_bgdl.model import KernelIdentity
from jupyter_bgdl.process import host, process_started


class Kernels:
    """Knows kernels by the server's kernel manager and by their processes. Thread-safe."""

    def __init__(self, kernel_manager: Any) -> None:
        self._manager = kernel_manager

    def alive(self, kernel: KernelIdentity) -> bool | None:
        """None: cannot be told from here.

        A process of this host that is gone, or whose pid now belongs to a later process, is
        certainly dead, even while the manager is still about to restart the kernel: the new
        process is another incarnation. A process that lives but is in no manager of ours (a
        script, the kernel of another server) may have lost interest, so its socket decides.
        """
        if kernel.host == host():
            started = process_started(kernel.pid)
            # The number comes back through JSON; clock ticks are 10 ms apart.
            if started is None or abs(started - kernel.started) > 0.005:
                return False
        if kernel.kernel_id is not None and kernel.kernel_id in self._manager:
            return True
        return None
