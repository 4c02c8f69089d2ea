"""Addresses that everybody reads alike (threat T11).

What is checked, shown, given a password and connected to must be one host, whoever parses the
address. httpx connects, so it parses; a host that others would read otherwise is refused.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

_AUTHORITY = re.compile(r"(?:[^/?#:]*:)?//([^/?#]*)")
"""Userinfo, host and port (RFC 3986, appendix B); no match: the address has none."""
_ODD = re.compile(r"[\x00- \x7f%\\<>^`{|}\"'。．｡]")
"""What no host has: escapes, that some undo; the dots that IDNA takes for dots (RFC 3490, 3.1)."""
_PORTS = {"http": 80, "https": 443}


def parsed(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """The address; a relative one is relative to ``base``. Raises ValueError."""
    found = _AUTHORITY.match(text)
    given = found[1] if found else ""
    if "\\" in given or _ODD.search(given.rpartition("@")[2]):
        raise ValueError("a host that is no host's name")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        host = url.host  # Decodes it: not every name that was taken can be.
    except httpx.InvalidURL as error:
        raise ValueError("no address") from error
    if given:
        other, usual = urlsplit(f"//{given}"), _PORTS.get(url.scheme)
        if (other.port or usual) != (url.port or usual):
            raise ValueError("a port that is read in two ways")
        if given.isascii() and (other.hostname or "") not in (host, url.raw_host.decode("ascii")):
            raise ValueError("a host that is read in two ways")
    return url
