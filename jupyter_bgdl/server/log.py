"""Operations on a session's log."""

from __future__ import annotations

from jupyter_bgdl import model
from jupyter_bgdl.server.operations import (
    SESSION_ERRORS,
    Call,
    LogQuery,
    Operation,
    SessionPath,
)

_PATH = "/bgdl/sessions/{identifier}/log"


async def log(call: Call) -> model.LogPage:
    return await call.service().log(call.user, call.path.identifier, after=call.query.after)


async def append(call: Call) -> model.LogLine:
    return await call.service().append_log(call.user, call.path.identifier, call.body.text)


OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        name="log",
        summary="Lines of a session's log",
        action="read",
        run=log,
        path_type=SessionPath,
        query_type=LogQuery,
        response=model.LogPage,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH,
        name="append_log",
        summary="Add what a callback printed to a session's log",
        action="write",
        run=append,
        path_type=SessionPath,
        request=model.LogRequest,
        response=model.LogLine,
        errors=SESSION_ERRORS,
    ),
)
