"""The named statements of ``queries.sql``: no other module holds SQL."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Each statement under its name."""
    text = files("jupyter_bgdl.service").joinpath("queries.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], (body.strip() for body in parts[1::2]), strict=True))


@cache
def migrations() -> tuple[str, ...]:
    """The n-th brings a ledger from version n to n + 1; each runs in one transaction."""
    return (files("jupyter_bgdl.service").joinpath("schema.sql").read_text(encoding="utf-8"),)
