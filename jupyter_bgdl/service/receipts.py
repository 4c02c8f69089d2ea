"""The folder of receipts: a file for each owner that a session has or had last."""

from __future__ import annotations

from pathlib import Path

from jupyter_bgdl import receipts
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.views import Row


class ReceiptFolder:
    """Blocks for the moment that a small file takes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._folder = ledger.path.parent / "receipts"

    def begin(self, session: Row) -> str:
        """A new owner's, empty; its kernel makes the file."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._path(session)
        path.unlink(missing_ok=True)
        return str(path)

    def go_on(self, session: Row) -> str:
        """Those of an owner that attaches again."""
        return str(self._path(session))

    def of(self, session: Row) -> list[int]:
        """The events that the session's owner, or the last one, has dealt with."""
        return receipts.read(self._path(session))

    def tidy(self) -> None:
        """Delete those of former owners."""
        current = {self._path(row) for row in self._ledger.all("epochs")}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path not in current:
                    path.unlink(missing_ok=True)

    def _path(self, session: Row) -> Path:
        # The mark is another one in a ledger that was made anew and counts from one again.
        return self._folder / f"{self._ledger.mark}-{session['id']}-{session['epoch']}"
