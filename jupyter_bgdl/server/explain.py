"""Operations that say why."""

from __future__ import annotations

from typing import Any

from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.server.operations import SESSION_ERRORS, Call, Operation, TaskPath


async def explain(call: Call) -> Explanation:
    return await call.service().explain(call.user, call.path.identifier, call.path.number)


async def diagnose(call: Call) -> dict[str, Any]:
    return await call.service().diagnose(call.user)


OPERATIONS = (
    Operation(
        method="GET",
        path="/bgdl/diagnose",
        name="diagnose",
        summary="Versions, limits, sessions and decisions, for who looks for a fault; no secrets",
        action="read",
        run=diagnose,
        document=True,
    ),
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
