"""What the tests of the threats count, for the last line of ``make threats``.

A figure is the sum of what was found in this run; one that no test measured says so.
"""

from __future__ import annotations

from collections.abc import Sized

CANARIES, WRITES, HANDLERS = "canaries found", "writes outside", "handlers open"

_found: dict[str, int] = {}


def count(figure: str, found: Sized) -> None:
    """``found``: what must not be; empty if all is well."""
    _found[figure] = _found.get(figure, 0) + len(found)


def line() -> str:
    """``canaries found 0, writes outside 0, handlers open 0``"""
    return ", ".join(
        f"{figure} {_found.get(figure, 'not measured')}" for figure in (CANARIES, WRITES, HANDLERS)
    )
