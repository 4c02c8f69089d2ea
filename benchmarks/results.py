"""The table for a person and ``results/latest.json`` for whoever compares runs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import python_peers
from benchmarks.figure import Figure
from benchmarks.webserver import find_nginx

LATEST = Path(__file__).parent / "results" / "latest.json"
PACKAGES = ("jupyter_bgdl", "jupyter_server", "httpx", "tornado", "msgspec")


def machine() -> dict[str, Any]:
    """What the run was made on; no name, no address."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": model,
        "cores": os.cpu_count(),
        "memory": memory,
    }


def versions() -> dict[str, str]:
    """Of Python, our parts, and the peers that are here."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        found[package] = importlib.metadata.version(package)
    for name, program, option in (
        ("nginx", find_nginx(), "-v"),
        ("curl", "curl", "--version"),
        ("aria2", "aria2c", "--version"),
        ("wget", "wget", "--version"),
    ):
        if shutil.which(program):
            done = subprocess.run([program, option], capture_output=True, text=True, check=True)
            words = (done.stdout or done.stderr).splitlines()[0].replace("/", " ").split()
            found[name] = next(word for word in words if word[0].isdigit())
    return found | python_peers.versions()


def write(figures: Sequence[Figure]) -> None:
    """What was not measured now stays, if it was measured on this machine with these versions."""
    setting = {"machine": machine(), "versions": versions()}
    today = datetime.now(UTC).date().isoformat()
    rows = [{**figure.as_row(), "measured": today} for figure in figures]
    document = {**setting, "figures": [*_others(setting, {row["name"] for row in rows}), *rows]}
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _others(setting: dict[str, Any], measured: set[str]) -> list[dict[str, Any]]:
    if not LATEST.exists():
        return []
    latest = json.loads(LATEST.read_text(encoding="utf-8"))
    if any(latest[name] != value for name, value in setting.items()):
        return []
    return [row for row in latest["figures"] if row["name"] not in measured]


def table(figures: Sequence[Figure]) -> str:
    """A line per figure and peer; the ratio is above 1 where we are better."""
    lines = [f"{'figure':26} {'ours':>9} {'':8} {'peer':>9} {'its':>9}  ratio"]
    for figure in figures:
        for peer, value in figure.peers.items():
            lines.append(
                f"{figure.name:26} {figure.ours:9.2f} {figure.unit:8}"
                f" {peer:>9} {value:9.2f}  {figure.ratios[peer]:5.2f}"
            )
    return "\n".join(lines)
