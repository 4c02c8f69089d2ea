"""The handler that all REST operations share: identity, JSON in, JSON out, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http.client import responses
from typing import Any

import msgspec
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_bgdl import errors
from jupyter_bgdl.model import ErrorView, Failure
from jupyter_bgdl.server.identity import IdentityMixin, is_confined, owner
from jupyter_bgdl.server.operations import Call, Operation, parameters
from jupyter_bgdl.server.redaction import log_failure

_SMALL_BODY = 256 * 1024
"""Bodies up to this size are decoded on the event loop (about a millisecond)."""

_CODES: dict[int, type[errors.BackgroundTransferError]] = {
    401: errors.NotAuthorized,
    403: errors.NotAuthorized,
    404: errors.TaskNotFound,
    503: errors.ServerUnavailable,
}


class UnsupportedMediaType(errors.InvalidRequest):
    """A body has to be JSON, with Content-Type: application/json."""

    status = 415


class BodyTooLarge(errors.QuotaExceeded):
    """The body is larger than BackgroundTransfers.max_body_size allows; send it in portions."""

    status = 413


class FailureMixin(web.RequestHandler):
    """Errors of a handler: to the client as a ``Failure``, to the log without secrets."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What went wrong inside is told to the log, not to the client."""
        kind = _CODES.get(status_code)
        if kind is None:
            kind = errors.InvalidRequest if status_code < 500 else errors.BackgroundTransferError
        reason = responses.get(status_code, "Error")
        message = reason if status_code < 500 else "The server failed; its log says where."
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(msgspec.json.encode(Failure(ErrorView(kind.code, message))))

    def _log(self) -> None:
        # Jupyter's request log takes out what is called token or the like, and lets other
        # signatures through. No query is worth a line in a log.
        self.request.uri = self.request.path
        if referer := self.request.headers.get("Referer"):
            self.request.headers["Referer"] = referer.partition("?")[0]
        super()._log()

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        log_failure(self.log, self, value)  # type: ignore[attr-defined]


class OperationHandler(FailureMixin, IdentityMixin, APIHandler):
    """Base of the handlers that ``routes.py`` makes."""

    @property
    def _track_activity(self) -> bool:  # type: ignore[override]
        # Tabs poll, so reading must not keep a server alive that shuts down when idle.
        return self.request.method not in ("GET", "HEAD")

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        # Before anything else is looked at, the existence of a verb included. Preflights carry
        # no credentials and do nothing.
        if not self.current_user and self.request.method != "OPTIONS":
            raise web.HTTPError(403)

    async def perform(self, operation: Operation, path: dict[str, str]) -> None:
        """Run ``operation`` for this request and answer it."""
        try:
            call = Call(
                service=lambda: self.context.service,
                launcher=lambda: self.context.launcher,
                sockets=self.context.sockets,
                user=owner(self),
                path=parameters(path, operation.path_type),
                query=parameters(self._query(), operation.query_type),
                body=await self._body(operation.request),
                root=self.settings.get("server_root_dir"),
                confined=await is_confined(self),
                stops_when_idle=self.context.stops_when_idle,
            )
            if operation.run_large is not None and len(self.request.body) > _SMALL_BODY:
                self.request.body = b""  # It was taken, and may be large.
                await self._stream(await operation.run_large(call))
                return
            answer = await operation.run(call)
        except errors.BackgroundTransferError as error:
            self.fail(error)
            return
        if operation.binary:
            await self._send_bytes(answer)
        elif answer is None:
            self.set_status(204)
            await web.RequestHandler.finish(self)
        else:
            await self.finish(msgspec.json.encode(answer))

    async def _stream(self, pieces: AsyncIterator[bytes]) -> None:
        self.set_header("Content-Type", "application/json")
        async for piece in pieces:
            self.write(piece)
            await self.flush()
        await self.finish()

    async def _send_bytes(self, content: bytes) -> None:
        """What a foreign server wrote must not run in this origin, whatever it is (threat T18)."""
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Disposition", 'attachment; filename="content.bin"')
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        await web.RequestHandler.finish(self, content)

    def _query(self) -> dict[str, str]:
        return {name: self.get_query_argument(name) for name in self.request.query_arguments}

    async def _body(self, into: type[msgspec.Struct] | None) -> msgspec.Struct | None:
        body = self.request.body
        if len(body) > self.context.max_body_size:
            raise BodyTooLarge
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        # A cross-site form can be sent without a preflight, but not with this type.
        if body and media_type.lower() != "application/json":
            raise UnsupportedMediaType
        if into is None:
            return None
        try:
            if len(body) <= _SMALL_BODY:
                return msgspec.json.decode(body, type=into)
            return await asyncio.to_thread(msgspec.json.decode, body, type=into)
        except msgspec.DecodeError as error:
            raise errors.InvalidRequest(str(error)) from error

    def fail(self, error: errors.BackgroundTransferError) -> None:
        """Answer with the error that the client is to raise."""
        self.set_status(error.status)
        self.finish(msgspec.json.encode(Failure(ErrorView(error.code, error.message))))


class NoSuchOperation(OperationHandler):
    """Everything else below ``/bgdl``: 404 as JSON rather than the server's page."""

    async def _refuse(self, *args: str) -> None:
        raise web.HTTPError(404)

    get = post = put = patch = delete = head = web.authenticated(_refuse)
