"""strace on a running process, to kill or fail it at the n-th system call of a kind."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

from support.disks import need

_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")
"""Where a call begins; ``<... resumed>`` is passed over."""


class Tracer:
    """``Tracer(pid, ["pwrite64"], "pwrite64:signal=KILL:when=3", log)``: attached when made.

    ``when`` counts in each thread by itself, from the moment of attaching.
    """

    def __init__(self, pid: int, calls: list[str], inject: str, log: Path) -> None:
        need("strace")
        self.log = log
        self.target = inject.partition(":")[0]
        log.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *("strace", "-f", "-qq", "-s", "0", "-o", str(log), "-p", str(pid)),
                *("-e", "trace=" + ",".join(calls), "-e", f"inject={inject}", "-e", "signal=none"),
            ],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not _is_traced(pid):
            if self.process.poll() is not None:
                raise ProcessLookupError(pid)
            assert time.monotonic() < deadline
            time.sleep(0.002)

    @property
    def is_attached(self) -> bool:
        """False when what it traced is gone."""
        return self.process.poll() is None

    def detach(self) -> None:
        """Let the process go on without it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()  # the kernel lets go of what it traced
            self.process.wait()

    def calls(self) -> list[str]:
        """The names of the calls that were made since, in order, up to the one that was to fail."""
        lines = self.log.read_text(errors="replace").splitlines()
        names = [match[1] for line in lines if (match := _CALL.match(line))]
        if self.target not in names:
            return names
        return names[: len(names) - names[::-1].index(self.target)]


def threads(pid: int) -> list[str]:
    """What the kernel says of each thread of a process; none if that is gone."""
    try:
        return [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []


def _is_traced(pid: int) -> bool:
    """Whether all threads are."""
    found = threads(pid)
    return bool(found) and not any(
        re.search(r"^TracerPid:\s+0$", thread, re.MULTILINE) for thread in found
    )
