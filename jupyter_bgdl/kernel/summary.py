"""How a session stands when nothing runs any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.attachment import AnyTask


@dataclass(frozen=True)
class Summary:
    """Numbers of tasks, and those that failed."""

    done: int
    failed: int
    cancelled: int
    suspended: int
    failed_tasks: list[AnyTask] = field(repr=False)

    def __str__(self) -> str:
        numbers = {
            "done": self.done,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "suspended": self.suspended,
        }
        return ", ".join(f"{n} {word}" for word, n in numbers.items() if n) or "nothing to do"
