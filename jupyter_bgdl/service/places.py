"""Where tasks may write: an administrator's folders, and for some the contents root alone.

A kernel may write where its user can, since it could do so without us. A request from a page, or
of somebody who may not run code here, may do so where the file browser could.
"""

from __future__ import annotations

from jupyter_bgdl.engine.confines import Confines, common
from jupyter_bgdl.service.policy import Settings

_SETTING = "BackgroundTransfers.allowed_directories"


class Places:
    def __init__(self, settings: Settings) -> None:
        """Looks at the folders once. Blocks."""
        allowed, root = settings.allowed_directories, settings.contents_root
        self._of_all = Confines(allowed, rule=_SETTING) if allowed else None
        folders: tuple[str, ...] = () if root is None else (root,)
        rule = "the server's contents root"
        if allowed:
            folders, rule = common(folders, allowed), f"{rule} with {_SETTING}"
        self._of_confined = Confines(folders, settings.allow_hidden, rule)

    def confines(self, *, confined: bool) -> Confines | None:
        """Of a task; None: it has none."""
        return self._of_confined if confined else self._of_all
