"""The downloaders written in Python, each run in the environment that ``make bench`` set up.

They tell the time that they took themselves, from after their imports on: the start of an
interpreter is no part of what is compared.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.peers import Fetch, FetchAll

ENVIRONMENT = Path(__file__).parent.parent / ".venvs" / "peers"
PEERS = ("parfive", "pooch", "pypdl", "requests")
PROGRAM = Path(__file__).parent / "peer_program.py"


def python_fetch_all(name: str) -> FetchAll:
    """``name`` is one of the program's."""

    async def fetch_all(files: Sequence[tuple[str, Path]]) -> float:
        process = await asyncio.create_subprocess_exec(
            *(ENVIRONMENT / "bin" / "python", PROGRAM, name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        listed = json.dumps([(url, str(path)) for url, path in files])
        output, errors = await process.communicate(listed.encode())
        if process.returncode:
            raise RuntimeError(f"{name} failed: {errors.decode(errors='replace')[-500:]}")
        return float(output.split()[-1])

    return fetch_all


def _one(fetch_all: FetchAll) -> Fetch:
    async def fetch(url: str, target: Path) -> float | None:
        return await fetch_all([(url, target)])

    return fetch


def python_peers(names: Sequence[str], say: Callable[[str], None]) -> dict[str, FetchAll]:
    """Those of them that are installed; the others are named."""
    there, installed = {}, versions()
    for name in names:
        if name in installed:
            there[name] = python_fetch_all(name)
        else:
            say(
                f"  {name} is left out: it is not in {ENVIRONMENT.name}; `make bench` puts it there"
            )
    return there


def single(peers: Mapping[str, FetchAll]) -> dict[str, Fetch]:
    """The same for one file."""
    return {name: _one(fetch_all) for name, fetch_all in peers.items()}


def versions() -> dict[str, str]:
    """Of those that are installed."""
    folders = [str(path) for path in ENVIRONMENT.glob("lib/python*/site-packages")]
    found = importlib.metadata.distributions(path=folders)
    return {peer.name: peer.version for peer in found if peer.name in PEERS}
