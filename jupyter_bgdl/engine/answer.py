"""What is used of a response, whoever made the request: ``httpx`` or a lane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Protocol

import httpx


class Answer(Protocol):
    """The head is there; the body is read by :meth:`iter_raw` or from the socket itself."""

    @property
    def status_code(self) -> int: ...

    @property
    def is_success(self) -> bool:
        """2xx."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Found by names in lower case; fields that came more than once are joined by commas."""

    @property
    def url(self) -> httpx.URL: ...

    @property
    def http_version(self) -> str: ...

    @property
    def extensions(self) -> MutableMapping[str, Any]:
        """``network_stream`` as of httpcore; ``location``, which is kept out of the headers."""

    @property
    def num_bytes_downloaded(self) -> int:
        """Bytes of the body that :meth:`iter_raw` gave."""

    def iter_raw(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...
