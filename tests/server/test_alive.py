"""Whether an owner lives is told by its process and the kernel manager."""

from __future__ import annotations

import os
import subprocess
import sys

from msgspec.structs import replace

from jupyter_bgdl.model import KernelIdentity
from jupyter_bgdl.process import host, process_started
from jupyter_bgdl.server.alive import Kernels


def identify(pid: int, kernel_id: str | None = None) -> KernelIdentity:
    started = process_started(pid)
    assert started is not None
    return KernelIdentity(
        incarnation="i",
        kernel_id=kernel_id,
        pid=pid,
        host=host(),
        started=started,
        directory="/",
        inode=2,
    )


def test_a_living_kernel_of_this_server() -> None:
    assert Kernels({"k"}).alive(identify(os.getpid(), "k")) is True


def test_a_living_process_that_the_manager_does_not_know_cannot_be_told() -> None:
    assert Kernels({"k"}).alive(identify(os.getpid())) is None
    assert Kernels({"k"}).alive(identify(os.getpid(), "of another server")) is None


def test_a_killed_kernel_is_dead_even_before_the_manager_knows() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        kernel = identify(child.pid, "k")
        assert Kernels({"k"}).alive(kernel) is True
        child.kill()
        # Not waited for: a zombie is dead as well.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Kernels({"k"}).alive(kernel) is False
    assert Kernels({"k"}).alive(kernel) is False


def test_a_reused_pid_is_another_process() -> None:
    kernel = identify(os.getpid(), "k")
    assert Kernels({"k"}).alive(replace(kernel, started=kernel.started - 0.01)) is False


def test_on_another_host_the_manager_decides() -> None:
    kernel = replace(identify(os.getpid(), "k"), host="elsewhere/1", started=0.0)
    assert Kernels({"k"}).alive(kernel) is True
    assert Kernels(set()).alive(kernel) is None
