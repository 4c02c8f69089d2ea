"""``env:NAME`` in the value of a header: a variable of the kernel's environment.

What is written down is the name. The value is read in the kernel at each attach, and held in the
server's memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MARK = "env:"

_NAMED = re.compile(r"(?<!\S)env:([A-Za-z_][A-Za-z0-9_]*)(?!\S)")
"""A whole word: ``env:TOKEN``, ``Bearer env:TOKEN``."""


def names_in(headers: Mapping[str, str]) -> set[str]:
    """The variables that these headers refer to."""
    return {name for value in headers.values() for name in _NAMED.findall(value)}


def filled(headers: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are sent; a variable that is not there stays as it is written."""
    return {
        header: _NAMED.sub(lambda match: values.get(match[1], match[0]), value)
        for header, value in headers.items()
    }
