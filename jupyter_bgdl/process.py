"""Names a process so that another one on the same machine can tell whether it still lives.

A pid alone says little: it is reused, and means nothing on another host or after a reboot.
Together with :func:`host` and :func:`process_started` it is unique. Both the kernel's side and
the server's use these functions, so nothing heavy may be imported here.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

_UNKNOWN_START = 0.0


@cache
def host() -> str:
    """``hostname/boot id``. Where the system has no boot id, the part after the slash is empty."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{platform.node()}/{boot}"


def process_started(pid: int) -> float | None:
    """When a process of this host started; None if there is none (zombies count as gone).

    In seconds since boot rather than since the epoch: a step of the wall clock must not make a
    living process look like another one. 0.0 where the system does not say (no ``/proc``): then
    only existence is compared.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return _started_without_proc(pid)
    except PermissionError:
        return _UNKNOWN_START
    # The command (field 2, in parentheses) may hold anything, so count from behind it; see
    # proc(5): field 3 is the state, field 22 the start time in clock ticks.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _started_without_proc(pid: int) -> float | None:
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # It exists and is somebody else's.
    return _UNKNOWN_START
