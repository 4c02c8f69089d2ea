"""The service and its worker in a process that a test may ill-treat: cut off, killed, remounted.

    with Station(home) as station:
        station.submit(url, destination)
        station.wait(1)

``python -m support.station STATE SETTINGS LIMITS`` is the other side: a real :class:`Service` over
a real :class:`LocalEngine`, told what to do by lines of JSON. ``prefix`` runs it under another
program, as in a network namespace or under libfiu.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.protocol import Limits
from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.model import PROTOCOL, AttachRequest, KernelIdentity, TaskSpec
from jupyter_bgdl.process import host
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.service import Service

USER, SESSION = "server", "faults"
QUICK = {"backoff_base": 0.05, "backoff_cap": 0.5, "network_retry": 0.2, "disk_retry": 0.2}


class StationError(Exception):
    """What the service raised."""


class Station:
    """Starts, kills and restarts the service over one folder of state."""

    def __init__(
        self,
        home: Path,
        *,
        state: Path | None = None,
        prefix: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
    ) -> None:
        self.home = home
        self.state = state or home / "state"
        self.prefix = list(prefix)
        self.environment = environment or {}
        self.options = options or {}
        self.settings = {**QUICK, **(settings or {})}
        self.limits = limits or {}
        self.log = home / "station.log"
        self.process: subprocess.Popen[str] | None = None
        self._calling = threading.Lock()

    def __enter__(self) -> Station:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> Station:
        """Start it and attach to the session."""
        self.home.mkdir(parents=True, exist_ok=True)
        quiet = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *self.prefix,
                    *(sys.executable, "-m", "support.station"),
                    *(str(self.state), json.dumps(self.settings), json.dumps(self.limits)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=quiet
                | {"PYTHONPATH": os.pathsep.join(str(path) for path in Path(__file__).parents[1:3])}
                | self.environment,
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )
        self.call("attach", options=self.options, directory=str(self.home))
        return self

    def stop(self) -> None:
        """As an orderly end of the server would."""
        process = self.process
        if process is None:
            return
        self.process = None
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()

    def kill(self) -> None:
        """SIGKILL to server and worker at once, as the end of the machine would."""
        process, self.process = self.process, None
        assert process
        os.kill(process.pid, signal.SIGSTOP)  # it would start another worker
        below = _all_below(process.pid)
        for pid in (*below, process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        for pid in below:
            _until_gone(pid)

    def call(self, command: str, **arguments: Any) -> Any:
        """Have the service do something. Raises :class:`StationError` for what it raises."""
        process = self.process
        assert process
        assert process.stdin
        assert process.stdout
        with self._calling:
            try:
                process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError as error:
                raise ConnectionError(self.log.read_text()[-2000:]) from error
        if not line:
            raise ConnectionError(self.log.read_text()[-2000:])
        answer = json.loads(line)
        if "error" in answer:
            raise StationError(answer["error"])
        return answer["value"]

    def submit(self, url: str, destination: Path | str, **fields: Any) -> None:
        spec = {"request": {"url": url}, "destination": str(destination), **fields}
        self.call("submit", spec=spec)

    def task(self, number: int = 1) -> dict[str, Any]:
        view: dict[str, Any] = self.call("task", number=number)
        return view

    def until(
        self, holds: Callable[[dict[str, Any]], bool], number: int = 1, timeout: float = 60
    ) -> dict[str, Any]:
        """The view of a task for which it holds."""
        deadline = time.monotonic() + timeout
        while not holds(view := self.task(number)):
            assert time.monotonic() < deadline, (view, self.log.read_text()[-2000:])
            time.sleep(0.01)
        return view

    def wait(self, number: int = 1, timeout: float = 60) -> dict[str, Any]:
        """The view of a task when it is completed."""
        return self.until(lambda view: view["state"] == "completed", number, timeout)

    @property
    def worker(self) -> int | None:
        """Process id of the worker that serves now."""
        pid: int | None = self.call("worker")
        return pid


def _children(pid: int) -> list[int]:
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in tasks.read_text().split()]
    return found


def _all_below(pid: int) -> list[int]:
    below = []
    for child in _children(pid):
        below += [child, *_all_below(child)]
    return below


def _until_gone(pid: int, timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while Path(f"/proc/{pid}").exists():
        state = Path(f"/proc/{pid}/stat")
        with contextlib.suppress(OSError):
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        assert time.monotonic() < deadline
        time.sleep(0.005)


# The other side


async def _do(service: Service, engine: LocalEngine, line: dict[str, Any]) -> Any:
    match line.pop("do"):
        case "attach":
            directory = line["directory"]
            kernel = KernelIdentity(
                incarnation="faults",
                pid=os.getpid(),
                host=host(),
                started=0.0,
                directory=directory,
                inode=Path(directory).stat().st_ino,
            )
            request = AttachRequest(
                protocol=PROTOCOL, kernel=kernel, configuration=line["options"], take_over=True
            )
            return (await service.attach(USER, SESSION, request)).epoch
        case "submit":
            spec = msgspec.convert(line["spec"], TaskSpec)
            reply = await service.submit(USER, SESSION, [spec])
            return [one.task.task_identifier for one in reply.tasks]
        case "worker":
            return engine.pid
        case "tasks":
            return msgspec.to_builtins((await service.tasks(USER, SESSION)).tasks)
        case command:
            verb = getattr(service, command)
            return msgspec.to_builtins(await verb(USER, SESSION, line["number"]))


async def _serve(state: Path, settings: Settings, limits: Limits) -> None:
    engine = LocalEngine(limits)
    service = Service(state, engine, alive=lambda _: True, settings=settings)
    service.start()
    try:
        while text := await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = {"value": await _do(service, engine, json.loads(text))}
            except BackgroundTransferError as error:
                answer = {"error": f"{error.code}: {error}"}
            print(json.dumps(answer), flush=True)
    finally:
        await asyncio.to_thread(service.close, 15)


if __name__ == "__main__":
    state, settings, limits = sys.argv[1:]
    asyncio.run(
        _serve(
            Path(state),
            msgspec.json.decode(settings, type=Settings),
            msgspec.json.decode(limits, type=Limits),
        )
    )
