"""The real command, in a process of its own, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import TOKEN, JupyterServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """One real server for a file's tests, which keep apart by session."""
    with JupyterServer(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


class Command:
    """``jupyter bgdl``, in a terminal of the person whose server it is."""

    def __init__(self, runtime: Path, folder: Path) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))}
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "COLUMNS": "200",
        }
        self.folder = folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "jupyter_bgdl.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def __call__(self, *arguments: str) -> str:
        """What it printed; it has to end well."""
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The last of the documents that it printed."""
        return json.loads(self(*arguments, "--json").splitlines()[-1])


@pytest.fixture
def command(jupyter: JupyterServer, tmp_path: Path) -> Command:
    return Command(jupyter.runtime, tmp_path)


def test_a_file_is_added_watched_listed_and_cleaned_up(
    command: Command, files: FileServer, tmp_path: Path
) -> None:
    url = files.add("cli.bin", content(5000))
    assert "cli.bin" in command("add", "one", url, "--to", "data/")
    watched = command.json("watch", "one")["sessions"]
    assert [(one["identifier"], one["done"], one["failed"]) for one in watched] == [("one", 1, 0)]
    assert (tmp_path / "data" / "cli.bin").read_bytes() == content(5000)

    [task] = command.json("list", "one")["tasks"]
    assert (task["state"], task["path"]) == ("completed", str(tmp_path / "data" / "cli.bin"))
    assert "done" in command("list", "one")
    assert "1 of 1 done" in command("watch", "one")
    listed = command.json("list")
    [view] = [one for one in listed["sessions"] if one["identifier"] == "one"]
    assert (view["undelivered"], view.get("owner")) == (0, None), "it belongs to no kernel"
    assert "one" in command("list")

    cleaned = command.json("clean", "one")
    assert cleaned == {"tasks": 1, "freed": 0}
    assert command.json("list", "one")["tasks"] == []
    assert (tmp_path / "data" / "cli.bin").exists()


def test_jupyter_finds_the_command_as_it_is_installed(
    command: Command, files: FileServer, tmp_path: Path
) -> None:
    command("add", "installed", files.add("installed.bin", content(100)), "--paused")
    jupyter = Path(sys.executable).with_name("jupyter")
    listed = subprocess.run(
        [jupyter, "bgdl", "list", "installed", "--json"],
        cwd=tmp_path,
        env={k: v for k, v in command.environment.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert listed.returncode == 0, listed.stderr
    assert [task["name"] for task in json.loads(listed.stdout)["tasks"]] == ["installed.bin"]


def test_a_transfer_is_paused_resumed_cancelled_retried_and_purged(
    command: Command, files: FileServer, tmp_path: Path
) -> None:
    url = files.add("held.bin", content(300_000), hold_at=1000)
    command("add", "two", url, "--paused")
    assert command.json("list", "two")["tasks"][0]["state"] == "suspended"
    assert [task["state"] for task in command.json("resume", "two")["tasks"]] == ["running"]
    assert [task["state"] for task in command.json("pause", "two", "1")["tasks"]] == ["suspended"]
    command("resume", "two", "1")
    command("cancel", "two")
    assert command.run("watch", "two").returncode == 0
    assert command.json("list", "two")["tasks"][0]["error"]["code"] == "cancelled"
    assert [task["generation"] for task in command.json("retry", "two", "1")["tasks"]] == [2]
    assert command.json("purge", "two") == {"purged": "two"}
    assert command.run("list", "two").returncode == 1
    assert list(tmp_path.iterdir()) == [], "no part is left"


def test_a_failure_is_told_by_the_exit_code_and_the_log(
    command: Command, files: FileServer
) -> None:
    missing = files.add("there.bin", content(10)).replace("there", "nowhere")
    command("add", "three", missing)
    watched = command.run("watch", "three")
    assert watched.returncode == 1
    assert "1 failed" in watched.stdout
    assert "nowhere.bin" in command("log", "three")
    assert any("404" in line["text"] for line in command.json("log", "three")["lines"])
    assert [task["generation"] for task in command.json("retry", "three")["tasks"]] == [2]


def test_what_the_server_refuses_is_shown(command: Command) -> None:
    refused = command.run("add", "four", "ftp://host/file")
    assert refused.returncode == 1
    assert "Only http and https" in refused.stderr
    refused = command.run("add", "four", "ftp://host/file", "--json")
    assert json.loads(refused.stdout)["error"]["code"] == "invalid_request"
    assert command.run("add", "four").returncode == 2


def test_a_server_is_found_by_its_address_and_token(
    command: Command, jupyter: JupyterServer, tmp_path: Path
) -> None:
    command.environment["JUPYTER_RUNTIME_DIR"] = str(tmp_path)
    assert "sessions" in command.json("list", "--server-url", jupyter.url, "--token", TOKEN)
    refused = command.run("list", "--server-url", jupyter.url, "--token", "wrong")
    assert refused.returncode == 1
    assert "--token" in refused.stderr


def test_without_a_server_it_says_so(command: Command, tmp_path: Path) -> None:
    command.environment["JUPYTER_RUNTIME_DIR"] = str(tmp_path)
    command.environment["JUPYTER_BGDL_FALLBACK"] = "in-process"
    done = command.run("list")
    assert (done.returncode, done.stdout) == (3, "")
    assert "No running Jupyter server" in done.stderr
    assert "Traceback" not in done.stderr


def test_diagnose_writes_the_bundle(command: Command, tmp_path: Path) -> None:
    command("diagnose", "--output", "bundle.json")
    written = json.loads((tmp_path / "bundle.json").read_text())
    assert written.keys() == command.json("diagnose").keys()
