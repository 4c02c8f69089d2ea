"""URLs as they may be shown: no userinfo, no query values, no fragment (faults T12, T14)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

_PLAIN = re.compile(
    r"https?://[a-z0-9.-]+(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}))?(?:/[^?#\s]*)?", re.ASCII
)
"""Most addresses: nothing to hide, and nothing that would be spelled otherwise."""


@lru_cache(1024)  # A task's address is shown again and again while it moves.
def redacted(url: str) -> str:
    """``https://host/path?token=…``; an address that cannot be parsed is shown as ``?``."""
    if _PLAIN.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        netloc = authority(url)
    except ValueError:
        return "?"
    query = "&".join(
        f"{name}=…" if mark else "…"
        for name, mark, _ in (pair.partition("=") for pair in parts.query.split("&") if pair)
    )
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def authority(url: str) -> str:
    """``host[:port]`` without userinfo. Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{parts.port}" if parts.port is not None else host
