"""What an operation of the REST interface is: one row of the table in ``routes.py``.

The handlers are made from the table and the OpenAPI document is generated from it, so neither
can say something that the other does not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from jupyter_bgdl.errors import BackgroundTransferError, InvalidRequest, TaskNotFound
from jupyter_bgdl.model import IDENTIFIER, is_identifier
from jupyter_bgdl.server.sockets import Sockets
from jupyter_bgdl.service.service import Service

if TYPE_CHECKING:
    # In-process sessions use this module where there is no Jupyter server.
    from jupyter_bgdl.server.launcher import Launcher

_LARGEST = 2**53 - 1
"""Largest integer that every reader of JSON holds exactly (RFC 8259, section 6)."""

Identifier = Annotated[str, Meta(min_length=1, max_length=255, pattern="^[^/]+$")]
Count = Annotated[int, Meta(ge=0, le=_LARGEST)]


class NoParameters(Struct, frozen=True):
    """Of an operation that has none."""


class SessionPath(Struct, frozen=True):
    identifier: Identifier

    def __post_init__(self) -> None:
        if not is_identifier(self.identifier):
            raise ValueError(IDENTIFIER)


class TaskPath(SessionPath, frozen=True):
    number: Annotated[int, Meta(ge=1, le=_LARGEST)]


class TasksQuery(Struct, frozen=True):
    after: Count = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 500
    completed: bool | None = None


class LogQuery(Struct, frozen=True):
    after: Count = 0


class Call(Struct, frozen=True):
    """One request, validated."""

    service: Callable[[], Service]
    launcher: Callable[[], Launcher]
    sockets: Sockets
    user: str
    path: Any
    query: Any
    body: Any
    root: str | None = None
    """Folder that the file browser shows, as the Jupyter server writes it (with ``~``)."""
    confined: bool = False
    """Whether its paths have to be in the contents root."""
    stops_when_idle: bool = False
    """Whether the server may be stopped for inactivity while transfers only wait."""


class Operation(Struct, frozen=True, kw_only=True):
    """One verb on one path."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    """Template below the base URL, with ``{names}`` of the fields of ``path_type``."""
    name: str
    """Unique; becomes the ``operationId``."""
    summary: str
    action: Literal["read", "write", "execute"]
    run: Callable[[Call], Awaitable[Any]]
    run_large: Callable[[Call], Awaitable[AsyncIterator[bytes]]] | None = None
    """For a request with a large body: the same answer as JSON, in pieces."""
    path_type: type[Struct] = NoParameters
    query_type: type[Struct] = NoParameters
    request: type[Struct] | None = None
    response: type[Struct] | None = None
    """None: 204 and no body, unless ``document`` or ``binary`` is set."""
    document: bool = False
    """The answer is a JSON document of no type of ours."""
    binary: bool = False
    """The answer is bytes that somebody else wrote, to be saved and never shown."""
    errors: tuple[type[BackgroundTransferError], ...] = ()
    """Beyond those that any operation may answer with."""


def parameters(source: dict[str, str], into: type[Struct]) -> Struct:
    """Path or query parameters, converted from text. Raises :class:`InvalidRequest`."""
    try:
        return msgspec.convert(source, into, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from error


SESSION_ERRORS = (InvalidRequest, TaskNotFound)
"""What any operation on a session or task may answer with."""
