"""What a submitted spec must be like before anything is written: pure checks.

Whatever is refused here or in ``destinations.py`` leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import os.path
import re
import string
import unicodedata
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from jupyter_bgdl.engine import addresses
from jupyter_bgdl.engine.names import suggested_name
from jupyter_bgdl.engine.protocol import Source
from jupyter_bgdl.errors import DestinationNotAllowed, InvalidRequest
from jupyter_bgdl.model import IfExists, SessionOptions, TaskSpec
from jupyter_bgdl.service.headers import check_headers, is_token
from jupyter_bgdl.service.redaction import authority

DIGITS = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32, "blake2b": 128}
"""Hexadecimal digits of each algorithm."""


_CONTROL = re.compile(r"[\x00- \x7f]")
_ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")
"""Scheme, userinfo, host and port: all of an address that can be wrong, but for its characters."""
_NO_HOST = re.compile(r"[%<>^`{|}\"']")

METHODS = ("PUT", "POST", "PATCH")
"""Of an upload."""


class Wanted(Struct, frozen=True, kw_only=True, gc=False):
    """A spec that was found to be well-formed, and what follows from it."""

    spec: TaskSpec
    """Its paths normalised; a destination that is a folder ends with a slash."""
    match: str
    """Finds the task when it is submitted again. A digest: the URL may hold secrets."""
    host: str
    name: str
    """Final, or provisional."""
    source: Source | None = None
    """The file to upload, as it was found on the disk."""
    confined: bool = False
    """Its paths have to be in the contents root."""

    @classmethod
    def of(
        cls,
        spec: TaskSpec,
        host: str,
        name: str,
        source: Source | None = None,
        confined: bool = False,
    ) -> Wanted:
        return cls(
            spec=spec,
            match=_match(spec),
            host=host,
            name=name,
            source=source,
            confined=confined,
        )

    @property
    def claim(self) -> str | None:
        """The path that nobody else may write to; None: not known before the response, or, to
        be renamed, before the file is published."""
        path = self.spec.destination
        if path is None or path.endswith("/") or self.spec.if_exists is IfExists.RENAME:
            return None
        return folded(path)


def _match(spec: TaskSpec) -> str:
    if spec.key is not None:
        parts = ["key" if spec.from_file is None else "upload by key", spec.key]
    elif spec.from_file is not None:
        parts = ["upload", spec.request.method, spec.request.url, spec.from_file]
    else:
        parts = ["url", spec.request.method, spec.request.url, spec.destination or ""]
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def folded(path: str) -> str:
    """Two paths with the same result may be one file on some file system (fault D10)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def checked(spec: TaskSpec, options: SessionOptions, confined: bool = False) -> Wanted:
    """Raises what :func:`well_formed` raises."""
    spec, host = well_formed(spec, options)
    return Wanted.of(spec, host, _name(spec), confined=confined)


def well_formed(spec: TaskSpec, options: SessionOptions) -> tuple[TaskSpec, str]:
    """The spec with its paths normalised, and its host. Raises :class:`InvalidRequest`, or
    :class:`DestinationNotAllowed` for a path that cannot be; messages never hold the URL."""
    host = _check_url(spec.request.url)
    if not is_token(spec.request.method) or not spec.request.method.isupper():
        raise InvalidRequest("The method is not valid.")
    check_headers(spec.request.headers)
    for mirror in spec.mirrors:
        _check_url(mirror)
    checksum = _checksum(spec.checksum)
    if spec.key is not None and not spec.key:
        raise InvalidRequest("A key must not be empty.")
    if spec.unattended and spec.destination is None and spec.from_file is None:
        raise InvalidRequest("A task that belongs to no kernel needs a destination.")
    destination = staging = None
    if spec.from_file is not None:
        return _well_formed_upload(spec), host
    if spec.destination is not None:
        destination = _absolute(spec.destination, "The destination")
        if spec.destination.endswith(("/", "/.")):
            destination = destination.rstrip("/") + "/"
    else:
        given = spec.staging or options.staging_directory
        if given is None:
            raise InvalidRequest("A download without a destination needs a staging folder.")
        staging = _absolute(given, "The staging folder")
    if (checksum, destination, staging) != (spec.checksum, spec.destination, spec.staging):
        spec = msgspec.structs.replace(
            spec, checksum=checksum, destination=destination, staging=staging
        )
    return spec, host


def _well_formed_upload(spec: TaskSpec) -> TaskSpec:
    if spec.request.method not in METHODS:
        raise InvalidRequest(
            f"The method of an upload is one of {', '.join(METHODS)}, not {spec.request.method}."
        )
    for name in ("destination", "staging", "checksum", "size", "mirrors"):
        if getattr(spec, name) not in (None, []):
            raise InvalidRequest(f"An upload has no {name}.")
    assert spec.from_file is not None
    if spec.from_file.endswith("/"):
        raise InvalidRequest("from_file must name a file, not a folder.")
    return msgspec.structs.replace(spec, from_file=_absolute(spec.from_file, "from_file"))


def as_folder(wanted: Wanted) -> Wanted:
    """The destination turned out to be an existing folder: in there, then."""
    spec = msgspec.structs.replace(wanted.spec, destination=f"{wanted.spec.destination}/")
    return Wanted.of(spec, wanted.host, _name(spec), confined=wanted.confined)


def _name(spec: TaskSpec) -> str:
    if spec.from_file is not None:
        return Path(spec.from_file).name
    if spec.destination is None or spec.destination.endswith("/"):
        return suggested_name(spec.request.url)
    return spec.destination.rpartition("/")[2]


def _check_url(url: str) -> str:
    if _CONTROL.search(url):
        raise InvalidRequest("The URL holds a space, a line break or a control character.")
    if "\\" in url:
        raise InvalidRequest("The URL holds a backslash.")
    origin = _ORIGIN.match(url)
    return _check_origin(origin[0] if origin else url)


@lru_cache(64)  # Most of one call ask few hosts.
def _check_origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = authority(url)
    except ValueError as e:
        raise InvalidRequest("The URL cannot be parsed.") from e
    if parts.scheme not in ("http", "https"):
        given = f"this one has the scheme {parts.scheme!r}" if parts.scheme else "this has none"
        raise InvalidRequest(f"Only http and https URLs can be fetched; {given}.")
    name = parts.hostname
    if not name or _NO_HOST.search(name):
        raise InvalidRequest("The URL has no host, or one that cannot be.")
    try:
        addresses.parsed(url)
    except ValueError as e:
        raise InvalidRequest("The URL has a host that can be read in more than one way.") from e
    return host


def _checksum(given: str | None) -> str | None:
    if given is None:
        return None
    algorithm, colon, digest = given.partition(":")
    algorithm, digest = algorithm.strip().lower(), digest.strip().lower()
    if not colon or algorithm not in DIGITS:
        raise InvalidRequest(
            f"A checksum is algorithm:hex, the algorithm one of {', '.join(DIGITS)}."
        )
    if len(digest) != DIGITS[algorithm]:
        raise InvalidRequest(
            f"A {algorithm} checksum has {DIGITS[algorithm]} hexadecimal digits, "
            f"this one {len(digest)}."
        )
    if not set(digest) <= set(string.hexdigits):
        raise InvalidRequest(f"The {algorithm} checksum is not hexadecimal.")
    return f"{algorithm}:{digest}"


@lru_cache(64)  # All of one call go into few folders.
def _absolute(path: str, what: str) -> str:
    if "\0" in path:
        raise InvalidRequest(f"{what} holds a NUL character.")
    if not path.startswith("/"):
        raise InvalidRequest(f"{what} must be an absolute path.")
    try:
        components = path.encode("utf-8").split(b"/")
    except UnicodeEncodeError as e:
        raise InvalidRequest(f"{what} cannot be written in UTF-8.") from e
    if max(map(len, components)) > 255:
        raise DestinationNotAllowed(f"{what} has a name of more than 255 bytes.")
    return os.path.normpath("/" + path.lstrip("/"))
