"""The tus protocol, version 1.0.0: core, creation and termination.

https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
from typing import Literal

import httpx

_VERSION = {"Tus-Resumable": "1.0.0"}


class Tus:
    name: Literal["tus"] = "tus"

    @staticmethod
    def is_offered(response: httpx.Response, method: str) -> bool:
        """Whether the answer to OPTIONS offers it for this request."""
        headers = response.headers
        versions = headers.get("tus-version") or headers.get("tus-resumable", "")
        extensions = headers.get("tus-extension", "")
        return method == "POST" and "1.0.0" in _words(versions) and "creation" in _words(extensions)

    def creation(self, size: int, name: str, kind: str | None) -> dict[str, str]:
        """Headers of the request that makes the upload resource."""
        described = {"filename": name} | ({"filetype": kind} if kind else {})
        metadata = [
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in described.items()
        ]
        return _VERSION | {"Upload-Length": str(size), "Upload-Metadata": ",".join(metadata)}

    def asking(self) -> dict[str, str]:
        return dict(_VERSION)

    def appending(self, offset: int, *, is_last: bool) -> dict[str, str]:
        kind = {"Content-Type": "application/offset+octet-stream"}
        return _VERSION | kind | {"Upload-Offset": str(offset)}

    def is_complete(self, response: httpx.Response, offset: int | None, size: int) -> bool:
        """Whether an answer to HEAD or PATCH says that all is there."""
        return offset == size

    def fits(self, response: httpx.Response, size: int) -> bool:
        """Whether the resource that HEAD tells of is one for a file of this size."""
        return response.headers.get("upload-length") in (None, str(size))

    def longest(self, response: httpx.Response) -> int | None:
        """Bytes that one request may append, if the server says so."""
        return None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]
