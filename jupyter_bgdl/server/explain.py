"""Operations that say why."""

from __future__ import annotations

from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.server.operations import SESSION_ERRORS, Call, Operation, TaskPath


async def explain(call: Call) -> Explanation:
    return await call.service().explain(call.user, call.path.identifier, call.path.number)


OPERATIONS = (
    Operation(
        method="GET",
        path="/bgdl/sessions/{identifier}/tasks/{number}/explain",
        name="explain",
        summary="Why a task is where it is, since when, until when, and what would change it",
        action="read",
        run=explain,
        path_type=TaskPath,
        response=Explanation,
        errors=SESSION_ERRORS,
    ),
)
