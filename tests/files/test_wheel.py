"""The wheel brings everything: where it is installed, with no Node, both extensions are on."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOKEN = "wheel"


def run(*command: str | Path, environment: Mapping[str, str], folder: Path) -> str:
    """What it printed; fails with that if it fails."""
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    root = Path(__file__).parents[2]
    command = (sys.executable, "-m", "build", "--sdist", "--outdir", folder, root)
    run(*command, environment=os.environ, folder=folder)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A fresh environment's: its own Python and no other program than a shell needs."""
    home = tmp_path_factory.mktemp("home")
    programs = home / "programs"
    programs.mkdir()
    for program in ("sh", "cat", "uname"):
        path = shutil.which(program)
        assert path
        (programs / program).symlink_to(path)
    base = getattr(sys, "_base_executable", sys.executable)
    run(base, "-m", "venv", home / "venv", environment=os.environ, folder=home)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "PYTHON"))}
    changed = {
        "PATH": f"{home / 'venv' / 'bin'}:{programs}",
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    assert not shutil.which("node", path=changed["PATH"])
    return {**kept, **changed}


@pytest.fixture(scope="module")
def installed(
    sdist: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """The environment's Python, once the wheel, built from the sdist without Node, is in it."""
    folder = tmp_path_factory.mktemp("wheel")
    python = Path(environment["PATH"].split(":")[0]) / "python"
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    build = (*pip, "wheel", "--no-deps", "--wheel-dir", folder, sdist)
    run(*build, environment=environment, folder=folder)
    (wheel,) = folder.glob("*.whl")
    run(*pip, "install", wheel, "jupyterlab", environment=environment, folder=folder)
    return python, environment


def wait_until_it_listens(process: subprocess.Popen[str], port: int | None) -> None:
    """A Jupyter server says its address before it listens there, and nothing once it does."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port or 0)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return


@contextmanager
def jupyterlab(python: Path, environment: dict[str, str], root: Path) -> Iterator[str]:
    """The base URL of a running JupyterLab."""
    process = subprocess.Popen(
        [
            *(python, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
            *("--ServerApp.port=0", f"--ServerApp.root_dir={root}"),
            f"--IdentityProvider.token={TOKEN}",
        ],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                wait_until_it_listens(process, urlsplit(found[0]).port)
                yield found[0]
                break
        else:
            pytest.fail("JupyterLab ended:\n" + "".join(lines))
    finally:
        process.terminate()
        process.communicate()


def get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"token {TOKEN}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        body: bytes = response.read()
        return body


def test_both_extensions_are_enabled_without_node(
    installed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    python, environment = installed
    jupyter = (python, "-m", "jupyter")
    server = run(*jupyter, "server", "extension", "list", environment=environment, folder=tmp_path)
    assert re.search(r"jupyter_bgdl.*enabled", server), server
    assert re.search(r"jupyter_bgdl.*OK", server), server
    lab = run(*jupyter, "labextension", "list", environment=environment, folder=tmp_path)
    assert re.search(r"jupyter-bgdl v\S+.*enabled.*OK", lab), lab


def test_a_server_of_the_wheel_serves_both(
    installed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    with jupyterlab(*installed, tmp_path) as url:
        assert json.loads(get(url + "bgdl"))["name"] == "jupyter_bgdl"
        assert json.loads(get(url + "bgdl/sessions")) == {"sessions": []}
        page = get(url + "lab").decode()
        config: dict[str, Any] = json.loads(
            re.findall(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[0]
        )
        ours = [e for e in config["federated_extensions"] if e["name"] == "jupyter-bgdl"]
        assert len(ours) == 1
        assert get(f"{url}lab/extensions/jupyter-bgdl/{ours[0]['load']}")
        settings = json.loads(get(f"{url}lab/api/settings/jupyter-bgdl:around"))
        assert "statusBar" in settings["schema"]["properties"]
    schemas = installed[0].parent.parent.glob("lib/*/site-packages/jupyter_bgdl/**/v1.yaml")
    assert {schema.parent.name for schema in schemas} == {"task", "session", "launch"}


def test_a_kernel_imports_it_from_the_wheel(
    installed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    python, environment = installed
    code = "import jupyter_bgdl, sys; print(jupyter_bgdl.__file__, 'jupyter_server' in sys.modules)"
    printed = run(python, "-c", code, environment=environment, folder=tmp_path)
    assert str(python.parent.parent) in printed
    assert printed.endswith("False\n")
