"""What an unexpected failure may leave in the server's log.

The message of an exception can quote anything that the user handed in: a signed URL, a header's
value. Tornado's default prints the request's address with its ``?token=`` on top. So only the
type of the exception and where it came from are written.
"""

from __future__ import annotations

import traceback
from logging import Logger

from tornado.web import HTTPError, RequestHandler


def log_failure(logger: Logger, handler: RequestHandler, error: BaseException | None) -> None:
    """Log why a request failed, without its query, headers, body, or words from them."""
    where = f"{handler.request.method} {handler.request.path}"
    if isinstance(error, HTTPError):
        logger.info("%s was refused with status %d", where, error.status_code)
    elif error is not None:
        logger.error("%s failed\n%s", where, describe(error))


def describe(error: BaseException) -> str:
    """A traceback with the messages left out, causes first."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = "".join(traceback.format_tb(current.__traceback__))
        lines.insert(0, f"{frames}{type(current).__module__}.{type(current).__qualname__}")
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return "\n".join(lines)
