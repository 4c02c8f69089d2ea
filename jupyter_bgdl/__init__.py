"""Background transfer sessions for Jupyter."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-bgdl"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Imported when a server asks, not before: a kernel must not load jupyter_server. Only with
    # "app" does the server call ``stop_extension`` and ``current_activity``.
    module = "jupyter_bgdl.server.extension"
    return [{"module": module, "app": import_module(module).BackgroundTransfers}]
