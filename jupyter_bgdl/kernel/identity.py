"""Who this process is, as the server is told when it attaches."""

from __future__ import annotations

import os
import re
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_bgdl.model import KernelIdentity
from jupyter_bgdl.process import host, process_started

_KERNEL_ID = re.compile(r"kernel-([0-9a-f-]{36})\.json$")
_SCRIPT = uuid.uuid4().hex


def running_kernel() -> Any | None:
    """The IPython kernel that this process is, or None in a script or a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


def notebook_path() -> str | None:
    """Absolute path of the notebook that the kernel was started for, if it was told."""
    name = os.environ.get("JPY_SESSION_NAME")
    return name if running_kernel() is not None and name and Path(name).is_absolute() else None


def identity() -> KernelIdentity:
    """This process now; the working folder may have changed since the last time."""
    directory = str(Path.cwd())
    kernel = running_kernel()
    notebook = notebook_path()
    return KernelIdentity(
        incarnation=str(kernel.session.session) if kernel is not None else _SCRIPT,
        kernel_id=_kernel_id(kernel) if kernel is not None else None,
        notebook=notebook,
        pid=os.getpid(),
        host=host(),
        started=_started(),
        directory=directory,
        inode=Path(directory).stat().st_ino,
        name=Path(notebook or sys.argv[0] or "python").name,
    )


def _kernel_id(kernel: Any) -> str | None:
    """A server names a kernel's connection file after its id."""
    file = getattr(kernel.parent, "connection_file", "") or ""
    found = _KERNEL_ID.search(str(file))
    return found[1] if found else None


@cache
def _started() -> float:
    return process_started(os.getpid()) or 0.0
