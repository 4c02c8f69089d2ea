"""What an import loads: a kernel carries no server, a worker no kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FACE = {
    "AddressNotAllowed", "BackgroundTransferError", "Cancelled", "Challenge", "ChecksumMismatch",
    "DestinationExists", "DestinationNotAllowed", "DownloadTask", "Explanation",
    "ExtensionMissing", "HTTPStatusError", "IncompatibleServer", "InvalidRequest",
    "InvalidResumeData", "LaunchError", "NotAuthorized", "OtherFilesystem", "Progress",
    "QuotaExceeded", "Request", "ServerNotFound", "ServerUnavailable", "Session",
    "SessionConfiguration", "SessionDelegate", "SessionInvalidated", "SessionOwnedElsewhere",
    "SourceChanged", "StillRunning", "Summary", "TaskNotFound", "TaskState", "TransferError",
    "TransferTimeout", "UnexpectedContent", "UploadTask", "WaitingFor", "background_session",
    "handle_events_for_background_session",
}  # fmt: skip
"""The public names. Taking one away breaks somebody's notebook."""


def loaded(code: str) -> set[str]:
    """Names of the modules that ``code`` loads in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def of(modules: set[str], *packages: str) -> set[str]:
    """Those that belong to one of the packages."""
    return {m for m in modules if any(m == p or m.startswith(p + ".") for p in packages)}


def test_a_kernel_loads_no_server() -> None:
    modules = loaded("import jupyter_bgdl; jupyter_bgdl.background_session")
    assert "jupyter_bgdl.kernel.session" in modules
    server = ("jupyter_server", "jupyterlab", "httpx", "sqlite3")
    ours = ("jupyter_bgdl.server", "jupyter_bgdl.service", "jupyter_bgdl.engine")
    assert of(modules, *server, *ours) == set()


def test_the_package_alone_loads_no_kernel_side() -> None:
    assert of(loaded("import jupyter_bgdl"), "jupyter_bgdl.kernel", "tornado", "IPython") == set()


@pytest.mark.parametrize("module", ["engine.worker", "service.service"])
def test_worker_and_service_load_neither_kernel_side_nor_jupyter(module: str) -> None:
    modules = loaded(f"import jupyter_bgdl.{module}")
    assert f"jupyter_bgdl.{module}" in modules
    jupyter = ("jupyter_server", "jupyter_client", "jupyter_core", "jupyterlab")
    others = ("tornado", "traitlets", "ipykernel", "IPython", "zmq")
    assert of(modules, "jupyter_bgdl.kernel", "jupyter_bgdl.server", *jupyter, *others) == set()


def test_the_public_face_is_whole() -> None:
    import jupyter_bgdl

    assert len(jupyter_bgdl.__all__) == len(set(jupyter_bgdl.__all__))
    assert set(jupyter_bgdl.__all__) == FACE
    for name in FACE:
        assert getattr(jupyter_bgdl, name).__name__ == name
    assert set(dir(jupyter_bgdl)) >= FACE


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import jupyter_bgdl

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jupyter_bgdl.nothing
