"""Background transfer sessions for Jupyter."""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-bgdl"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Imported when a server asks, not before: a kernel must not load jupyter_server. Only with
    # "app" does the server call ``stop_extension`` and ``current_activity``.
    from jupyter_bgdl.server.extension import BackgroundTransfers

    return [{"module": "jupyter_bgdl.server.extension", "app": BackgroundTransfers}]
