"""Which request headers may be given (RFC 9110, sections 5.1 and 5.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jupyter_bgdl.errors import InvalidRequest

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "if-range",
        "range",
        "transfer-encoding",
    }
)
"""What a resumable transfer sets itself."""


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises :class:`InvalidRequest`. Names the header, never its value: that may be a secret."""
    for name, value in headers.items():
        if not is_token(name):
            raise InvalidRequest(f"{name[:80]!r} is no name for a header.")
        if name.lower() in _OURS:
            raise InvalidRequest(f"The header {name} is set by the transfer itself.")
        if not _VALUE.fullmatch(value):
            raise InvalidRequest(
                f"The value of the header {name} holds a line break, a control character or "
                "something else than ASCII."
            )
