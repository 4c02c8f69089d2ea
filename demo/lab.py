"""``make lab``: JupyterLab on the quickstart notebook, beside a slow file server to fetch from.

The notebooks are copied into a folder that is removed at the end, so that a person may change and
run them without touching the repository.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from demo.jupyter import isolated_environment
from demo.source import open_source, parse_arguments

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SIZE = 600_000_000
RATE = 4_000_000.0
"""Two and a half minutes: time to restart the kernel, reload the page, close the tab."""


def main() -> int:
    arguments = parse_arguments("Open the quickstart notebook in JupyterLab.")
    with (
        tempfile.TemporaryDirectory(prefix="bgdl-lab-") as name,
        open_source(arguments, size=SIZE, rate=RATE) as source,
    ):
        home = Path(name)
        root = shutil.copytree(NOTEBOOKS, home / "root")
        print(f"The notebook downloads {source.url} into {root}; all of it goes when you stop.")
        command = [sys.executable, "-m", "jupyter", "lab", "--allow-root", "quickstart.ipynb"]
        command.append(f"--ServerApp.root_dir={root}")
        environment = isolated_environment(home, source.environment)
        process = subprocess.Popen(command, cwd=root, env=environment)  # noqa: S603 (our own)
        signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The server got it too: it asks whether it shall stop, and may be told no.
                continue


if __name__ == "__main__":
    sys.exit(main())
