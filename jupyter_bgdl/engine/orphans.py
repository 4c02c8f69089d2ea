"""Parts that an earlier attempt made and did not live to tell of.

Between a part's making and the report that names it a kill may come. Its name says whose it was:
the ledger's mark, the task and the attempt. So the next attempt finds it without a look through
the folder, which may hold 100,000 files of others.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from jupyter_bgdl.engine.protocol import Attempt, Fetch

_BACK = 8
"""Attempts that are looked back at: so many would have to be killed one after the other."""
_EACH = 2
"""Parts of one attempt that could be left: the one that it had, and the one instead of it."""


def part_names(mark: str, attempt: Attempt) -> Iterator[str]:
    """Names for the parts of one attempt, in the order in which they are used."""
    number = 0
    while True:
        yield f".bgdl-{mark}-{attempt.task}-{attempt.number}-{number}.part"
        number += 1


def drop_orphans(unit: Fetch) -> None:
    """Delete what the attempts before left in the folder, but for the part that is known."""
    known = unit.part.path if unit.part is not None else None
    for number in range(max(1, unit.attempt.number - _BACK), unit.attempt.number):
        before = Attempt(unit.attempt.task, number)
        for name, _ in zip(part_names(unit.mark, before), range(_EACH), strict=False):
            path = os.path.join(unit.folder, name)  # noqa: PTH118 - as parts are
            if path != known:
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        os.unlink(path)  # noqa: PTH108
