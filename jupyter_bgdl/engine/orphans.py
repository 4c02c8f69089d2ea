"""Parts that an earlier attempt made and did not live to tell of.

Between a part's making and the report that names it a kill may come. Its name says whose it was:
the mark that the unit was given, the task and the attempt. So the next attempt finds it without a
look through the folder, which may hold 100,000 files of others.

A mark stands for one run of attempts, each of which may delete what those before it left. What is
to outlive them, such as a part for which there is resume data, is safe from the next run's.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from jupyter_bgdl.engine.protocol import Attempt, Fetch, Part

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
    before = Attempt(unit.attempt.task, unit.attempt.number - 1)
    sweep(unit.folder, unit.mark, before, unit.part)


def sweep(folder: str, mark: str, last: Attempt, known: Part | None) -> None:
    """Delete what the attempts up to ``last`` left in the folder, but for ``known``. Blocks."""
    kept = known.path if known is not None else None
    for number in range(max(1, last.number - _BACK + 1), last.number + 1):
        attempt = Attempt(last.task, number)
        for name, _ in zip(part_names(mark, attempt), range(_EACH), strict=False):
            path = os.path.join(folder, name)  # noqa: PTH118 - as parts are
            if path != kept:
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        os.unlink(path)  # noqa: PTH108
