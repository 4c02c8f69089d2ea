"""A second environment with the oldest supported ipykernel, built once for this checkout."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ["ipykernel==6.29.*", "ipywidgets>=8,<9", "msgspec>=0.19", "tornado>=6.4"]


def python_with_ipykernel_629() -> Path:
    """The interpreter of ``.venvs/ipykernel629``; a stamp says that it was finished."""
    folder = ROOT / ".venvs" / "ipykernel629"
    stamp = folder / "finished"
    python = folder / "bin" / "python"
    wanted = "\n".join(_PACKAGES)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *_PACKAGES], check=True)
            stamp.write_text(wanted)
    return python
