"""Background transfer sessions for Jupyter.

A cell names a session and hands it URLs; the Jupyter server moves the bytes and journals what
happens, whatever becomes of the kernel. ::

    import jupyter_bgdl as bgdl

    era5 = bgdl.background_session("era5")
    path = await era5.download("https://host/era5.nc", to="data/")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jupyter_bgdl.asks import Challenge
from jupyter_bgdl.errors import (
    AddressNotAllowed,
    BackgroundTransferError,
    Cancelled,
    ChecksumMismatch,
    DestinationExists,
    DestinationNotAllowed,
    ExtensionMissing,
    HTTPStatusError,
    IncompatibleServer,
    InvalidRequest,
    InvalidResumeData,
    LaunchError,
    NotAuthorized,
    OtherFilesystem,
    QuotaExceeded,
    ServerNotFound,
    ServerUnavailable,
    SessionInvalidated,
    SessionOwnedElsewhere,
    SourceChanged,
    StillRunning,
    TaskNotFound,
    TransferError,
    TransferTimeout,
    UnexpectedContent,
)
from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.model import Request, TaskState, WaitingFor

__all__ = [
    "AddressNotAllowed",
    "BackgroundTransferError",
    "Cancelled",
    "Challenge",
    "ChecksumMismatch",
    "DestinationExists",
    "DestinationNotAllowed",
    "DownloadTask",
    "Explanation",
    "ExtensionMissing",
    "HTTPStatusError",
    "IncompatibleServer",
    "InvalidRequest",
    "InvalidResumeData",
    "LaunchError",
    "NotAuthorized",
    "OtherFilesystem",
    "Progress",
    "QuotaExceeded",
    "Request",
    "ServerNotFound",
    "ServerUnavailable",
    "Session",
    "SessionConfiguration",
    "SessionDelegate",
    "SessionInvalidated",
    "SessionOwnedElsewhere",
    "SourceChanged",
    "StillRunning",
    "Summary",
    "TaskNotFound",
    "TaskState",
    "TransferError",
    "TransferTimeout",
    "UnexpectedContent",
    "UploadTask",
    "WaitingFor",
    "background_session",
    "handle_events_for_background_session",
]

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.configuration import SessionConfiguration
    from jupyter_bgdl.kernel.delegate import SessionDelegate
    from jupyter_bgdl.kernel.downloads import DownloadTask
    from jupyter_bgdl.kernel.launching import handle_events_for_background_session
    from jupyter_bgdl.kernel.session import Session, background_session
    from jupyter_bgdl.kernel.summary import Summary
    from jupyter_bgdl.kernel.task import Progress
    from jupyter_bgdl.kernel.uploads import UploadTask

    __version__: str

# The kernel's side is loaded when it is first asked for: the server and its worker process import
# this package, too, and need none of it.
_KERNEL = {
    "DownloadTask": "downloads",
    "Progress": "task",
    "Session": "session",
    "SessionConfiguration": "configuration",
    "SessionDelegate": "delegate",
    "Summary": "summary",
    "UploadTask": "uploads",
    "background_session": "session",
    "handle_events_for_background_session": "launching",
}


def __getattr__(name: str) -> Any:
    if name in _KERNEL:
        return getattr(importlib.import_module(f"jupyter_bgdl.kernel.{_KERNEL[name]}"), name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("jupyter_bgdl")
        except PackageNotFoundError:
            return "0+unknown"  # a checkout that is only on the path
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext jupyter_bgdl``: gives notebooks ``%%background_session``."""
    importlib.import_module("jupyter_bgdl.kernel.magic").load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext jupyter_bgdl``."""
    importlib.import_module("jupyter_bgdl.kernel.magic").unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-bgdl"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Imported when a server asks, not before: a kernel must not load jupyter_server. Only with
    # "app" does the server call ``stop_extension`` and ``current_activity``.
    module = "jupyter_bgdl.server.extension"
    return [{"module": module, "app": importlib.import_module(module).BackgroundTransfers}]
