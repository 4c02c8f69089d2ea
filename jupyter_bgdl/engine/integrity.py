"""The digest that a server tells of what it sends (RFC 9530), judged without I/O."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

_KNOWN = (("sha-512", "sha512", 64), ("sha-256", "sha256", 32))
"""Those that are fit against tampering (RFC 9530, section 7.2), strongest first: the key, our
name, bytes."""

_VALUE = r"""(?::[A-Za-z0-9+/=]*:|"(?:[^"\\]|\\["\\])*"|[^\s",;:()]+)"""
_KEY = r"[a-z*][a-z0-9_.*-]*"
_MEMBER = re.compile(
    rf"(?P<key>{_KEY})(?:=(?P<value>{_VALUE}))?(?:; *{_KEY}(?:={_VALUE})?)*[ \t]*(?P<end>,[ \t]*|$)"
)
"""A member of a dictionary of structured fields (RFC 9651, 3.2), inner lists left out."""


def told_digest(status: int, headers: Mapping[str, str]) -> str | None:
    """``algorithm:hex`` of the whole representation, as it is sent (an encoding included).

    ``Repr-Digest`` says it in any response that brings the representation or a range of it,
    ``Content-Digest`` only where the content is all of it. The strongest that is known; a field
    that can't be parsed counts as missing.
    """
    found = _digests(headers.get("repr-digest", ""))
    if not found and status == 200:
        found = _digests(headers.get("content-digest", ""))
    for key, name, length in _KNOWN:
        value = found.get(key)
        if value is not None and len(value) == length:
            return f"{name}:{value.hex()}"
    return None


def _digests(field: str) -> dict[str, bytes]:
    """The byte sequences of a dictionary, by key; the last of a key counts (RFC 9651, 4.2.2)."""
    field = field.strip(" ")
    found: dict[str, bytes] = {}
    place, more = 0, bool(field)
    while more:
        member = _MEMBER.match(field, place)
        if member is None:
            return {}
        found.pop(member["key"], None)
        value = member["value"] or ""
        if value.startswith(":"):
            try:
                found[member["key"]] = base64.b64decode(value[1:-1], validate=True)
            except binascii.Error:
                return {}
        place, more = member.end(), bool(member["end"])
    return found
