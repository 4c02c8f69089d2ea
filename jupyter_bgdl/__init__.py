"""Background transfer sessions for Jupyter."""

from __future__ import annotations


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-bgdl"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    # The module is named, not imported: a kernel must not load jupyter_server.
    return [{"module": "jupyter_bgdl.server.extension"}]
