"""Operations by which a kernel says what a task needs to go on."""

from __future__ import annotations

from jupyter_bgdl import model
from jupyter_bgdl.asks import Answer, EnvironmentRequest
from jupyter_bgdl.server.operations import (
    SESSION_ERRORS,
    Call,
    Operation,
    SessionPath,
    TaskPath,
)

_SESSION = "/bgdl/sessions/{identifier}"


async def answer(call: Call) -> model.TaskView:
    return await call.service().answer(call.user, call.path.identifier, call.path.number, call.body)


async def environment(call: Call) -> None:
    await call.service().give_environment(call.user, call.path.identifier, call.body.values)


OPERATIONS = (
    Operation(
        method="POST",
        path=_SESSION + "/tasks/{number}/answer",
        name="answer",
        summary="Give a task credentials or another address, or let it begin",
        action="write",
        run=answer,
        path_type=TaskPath,
        request=Answer,
        response=model.TaskView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_SESSION + "/environment",
        name="give_environment",
        summary="Give variables of a kernel's environment that headers refer to by env:NAME",
        action="write",
        run=environment,
        path_type=SessionPath,
        request=EnvironmentRequest,
        errors=SESSION_ERRORS,
    ),
)
