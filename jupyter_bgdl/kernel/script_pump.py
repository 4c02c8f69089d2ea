"""The pump of plain Python and of IPython in a terminal: jobs run only while somebody waits."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_bgdl.kernel.jobs import JobQueue


class ScriptPump(JobQueue):
    """Runs jobs inside :meth:`wait` and :meth:`until` of the main thread, and nowhere else."""

    def on_cell_end(self, function: Callable[[], None]) -> None:
        """Does nothing: a script has no cells."""
