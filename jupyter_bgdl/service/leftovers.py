"""Files that nobody needs any more: the part of what was given up, a staged file that was taken.

They go after the commit that says so, in a thread that nobody waits for. A crash in between leaves
a file and no lie.
"""

from __future__ import annotations

from collections.abc import Callable

from jupyter_bgdl.engine.orphans import sweep
from jupyter_bgdl.engine.protocol import Attempt
from jupyter_bgdl.service import staging
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.tasks import part_of, staged_in
from jupyter_bgdl.service.units import mark_of
from jupyter_bgdl.service.views import Row


class Leftovers:
    def __init__(
        self,
        ledger: Ledger,
        blocking: Callable[[Callable[[], None]], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        """``blocking`` runs what blocks, in another thread; ``soon`` brings back to this one."""
        self._ledger = ledger
        self.blocking = blocking
        self.soon = soon

    def drop_part(self, row: Row) -> None:
        """After the commit, delete the part of a task that the engine does not have."""
        part, folder = part_of(row), staged_in(row)
        if part:
            self._ledger.on_commit(lambda: self.blocking(lambda: staging.drop(part, folder)))

    def sweep(self, row: Row) -> None:
        """After the commit, delete what killed attempts of this generation did not live to tell
        of. The engine must not have it, and the part that is known stays."""
        if not row["attempts"] or row["source"] is not None:
            return
        folder, known, staged = row["folder"], part_of(row), staged_in(row)
        mark, last = mark_of(row, self._ledger.mark), Attempt(row["id"], row["attempt"])

        def clear() -> None:
            sweep(folder, mark, last, known)
            if staged:
                staging.remove_empty(staged)

        self._ledger.on_commit(lambda: self.blocking(clear))

    def release_unclaimed(self) -> None:
        """At the start: what the last server had not come to."""
        for row in self._ledger.all("unclaimed_keeps"):
            self.release(row)

    def release(self, row: Row) -> None:
        """Delete a staged file whose events were all dealt with, then forget its link."""
        keep, task = row["keep"], row["id"]

        def clear() -> None:
            staging.clear(keep)
            self.soon(forget)

        def forget() -> None:
            if self._ledger.is_open:
                with self._ledger.transaction():
                    self._ledger.run("forget_keep", id=task)

        self.blocking(clear)
