"""Kills the worker or its server at an exact point of a transfer.

The tests put this folder on ``PYTHONPATH`` and name a plan in ``BGDL_SABOTAGE``: a file with one
line a kill, ``<phase> <worker|server>``. Python runs this module at start-up; in the worker it
wraps the calls that mark the phases. The first line of the plan whose phase comes up is taken
out, and its victim is sent SIGKILL. Everything else is the real program.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path


def strike(phase: str) -> None:
    with (Path(os.environ["BGDL_SABOTAGE"])).open("r+") as plan:
        fcntl.flock(plan, fcntl.LOCK_EX)
        lines = plan.read().splitlines()
        if not lines or lines[0].split()[0] != phase:
            return
        plan.seek(0)
        plan.truncate()
        plan.write("".join(f"{line}\n" for line in lines[1:]))
    if lines[0].split()[1] == "worker":
        os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)  # the end of the pipe ends this process


def wrap(module: object, name: str, before: str, after: str) -> None:
    function = getattr(module, name)

    def wrapped(*args: object, **kwargs: object) -> object:
        strike(before)
        result = function(*args, **kwargs)
        strike(after)
        return result

    setattr(module, name, wrapped)


def wrap_reports(wire: object, phases: dict[str, str]) -> None:
    send = wire.send_reports

    def send_reports(connection: object, reports: list[object]) -> None:
        kinds = [phases[k] for k in (type(r).__name__ for r in reports) if k in phases]
        for kind in kinds:
            strike(f"before-{kind}")
        send(connection, reports)
        for kind in kinds:
            strike(f"after-{kind}")

    wire.send_reports = send_reports


if "jupyter_bgdl.engine.worker" in sys.orig_argv and "BGDL_SABOTAGE" in os.environ:
    from jupyter_bgdl.engine import platform, wire

    wrap(platform, "sync_data", "before-fsync", "after-fsync")
    wrap(platform, "rename_noreplace", "before-publish", "after-publish")
    wrap_reports(wire, {"Ready": "intent", "Published": "commit"})
