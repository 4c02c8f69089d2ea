"""File names: what a server or a URL suggests, made safe.

A name comes from Content-Disposition or from the URL that the *person* gave, never from a
redirect's target: that one is chosen by whoever redirects.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

MAXIMUM_BYTES = 200
"""Of a name in UTF-8. File systems allow 255; this leaves room for " (123)"."""

FALLBACK = "download"

_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)$")
"""Device names of Windows, with or without an extension."""

_FORBIDDEN = re.compile(r'[<>:"|?*\\/]')
_ENDS = re.compile(r"^[.\s]+|[.\s]+$")
"""Dots that hide a name, and what Windows drops at its end; any spaces, also between the dots."""
_PLAIN = re.compile(r"[\w-](?:[\w. -]*[\w-])?", re.ASCII)
"""As nearly all names are. Nothing in them needs a look at each character."""
_PATH = re.compile(r"(?:[^:/?#]+:)?(?://[^/?#]*)?([^?#]*)")
"""The path of a URI (RFC 3986, appendix B); matches anything."""
_PARAMETER = re.compile(
    r";\s*(?P<name>filename\*?)\s*=\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<token>[^;]*))",
    re.IGNORECASE | re.DOTALL,
)


def suggested_name(url: str, content_disposition: str | None = None) -> str:
    """The safe name for what is at ``url``, as the person gave it."""
    if content_disposition:
        given = disposition_name(content_disposition)
        if given and _cleaned(given):
            return safe_name(given)
    found = _PATH.match(url)
    path = found[1].rstrip("/") if found else ""
    return safe_name(unquote(path.rsplit("/", 1)[-1]))


def disposition_name(value: str) -> str | None:
    """``filename*`` (RFC 8187), else ``filename``, of a Content-Disposition (RFC 6266)."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value):
        quoted = match["quoted"]
        text = match["token"].strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found.setdefault(match["name"].lower(), text)
    extended = _decode_extended(found["filename*"]) if "filename*" in found else None
    if extended:
        return extended
    plain = found.get("filename")
    if not plain:
        return None
    # httpx hands headers over as Latin-1 or UTF-8; some servers percent-encode on top.
    return unquote(plain) if re.search(r"%[0-9A-Fa-f]{2}", plain) else plain


def safe_name(name: str) -> str:
    """A name that is one component, visible, and allowed on POSIX and Windows.

    The same name always gives the same result, and a safe name gives itself.
    """
    return _cleaned(name) or FALLBACK


def _cleaned(name: str) -> str:
    if not _PLAIN.fullmatch(name):
        name = _visible(name)
    if not name:
        return ""
    stem, dot, extension = name.partition(".")
    if _RESERVED.match(stem.rstrip()):
        name = f"_{stem}{dot}{extension}"
    return _shortened(name)


def _visible(name: str) -> str:
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    # Cc control, Cf format (bidi overrides), Cs lone surrogates, Zl/Zp line separators
    name = "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
    return _ENDS.sub("", _FORBIDDEN.sub("_", name))


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAXIMUM_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > 20:
        stem, dot, extension = name, "", ""
    room = MAXIMUM_BYTES - len((dot + extension).encode())
    short = stem.encode()[:room].decode(errors="ignore").rstrip(". ")
    return short + dot + extension


def _decode_extended(value: str) -> str | None:
    charset, _, rest = value.partition("'")
    _language, quote, encoded = rest.partition("'")
    if not quote or charset.lower() not in ("utf-8", "iso-8859-1"):
        return None
    try:
        return unquote(encoded, encoding=charset, errors="strict")
    except UnicodeDecodeError:
        return None
