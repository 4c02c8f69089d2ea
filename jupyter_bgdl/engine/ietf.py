"""Resumable Uploads for HTTP: draft-ietf-httpbis-resumable-upload, -04 and -05 (interop version 6),
the protocol that URLSession speaks since iOS 17.

A server is found out by what it says to OPTIONS (``Upload-Limit``, section 4.1.4 of -05, or the
interop version itself). The upload resource is made with an empty body first: its address then
comes in an ordinary 201 and not only in an interim 104, which a connection that is lost early
would take along.
"""

from __future__ import annotations

import re
from typing import Literal

import httpx

INTEROP = "6"
_VERSION = {"Upload-Draft-Interop-Version": INTEROP}
_LONGEST = re.compile(r"(?:^|,)\s*max-append-size=(\d{1,18})\s*(?:,|$)")


class Ietf:
    name: Literal["ietf"] = "ietf"

    @staticmethod
    def is_offered(response: httpx.Response, method: str) -> bool:
        """Whether the answer to OPTIONS offers it for this request."""
        version = response.headers.get("upload-draft-interop-version")
        if version is not None:
            return bool(version.strip() == INTEROP)
        return "upload-limit" in response.headers

    def creation(self, size: int, name: str, kind: str | None) -> dict[str, str]:
        """Headers of the request that makes the upload resource."""
        return _VERSION | {"Upload-Complete": "?0", "Upload-Length": str(size)}

    def asking(self) -> dict[str, str]:
        return dict(_VERSION)

    def appending(self, offset: int, *, is_last: bool) -> dict[str, str]:
        return _VERSION | {
            "Content-Type": "application/partial-upload",
            "Upload-Offset": str(offset),
            "Upload-Complete": "?1" if is_last else "?0",
        }

    def is_complete(self, response: httpx.Response, offset: int | None, size: int) -> bool:
        """Whether an answer to HEAD or PATCH says that all is there.

        The last answer is that of the resource which the upload was for; it may say nothing of
        the upload.
        """
        told = response.headers.get("upload-complete")
        if told is not None:
            return bool(told.strip() == "?1")
        return response.request.method != "HEAD" and offset in (None, size)

    def fits(self, response: httpx.Response, size: int) -> bool:
        """Whether the resource that HEAD tells of is one for a file of this size."""
        return response.headers.get("upload-length") in (None, str(size))

    def longest(self, response: httpx.Response) -> int | None:
        """Bytes that one request may append, if the server says so."""
        match = _LONGEST.search(response.headers.get("upload-limit", ""))
        return int(match[1]) or None if match else None
