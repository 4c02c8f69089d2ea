"""Operations that clean up."""

from __future__ import annotations

from jupyter_bgdl.cleanup import Cleaned, CleanRequest, UsageReport
from jupyter_bgdl.server.operations import SESSION_ERRORS, Call, Operation, SessionPath


async def usage(call: Call) -> UsageReport:
    return await call.service().usage(call.user)


async def clean(call: Call) -> Cleaned:
    return await call.service().clean(call.user, call.body.session)


async def purge(call: Call) -> None:
    await call.service().purge(call.user, call.path.identifier)


OPERATIONS = (
    Operation(
        method="GET",
        path="/bgdl/usage",
        name="usage",
        summary="Bytes that unfinished and staged downloads hold, by session",
        action="read",
        run=usage,
        response=UsageReport,
    ),
    Operation(
        method="POST",
        path="/bgdl/clean",
        name="clean",
        summary="Forget completed tasks of which everything was told, and delete their parts",
        action="write",
        run=clean,
        request=CleanRequest,
        response=Cleaned,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="DELETE",
        path="/bgdl/sessions/{identifier}",
        name="purge",
        summary="Forget a session and all that it has; never deletes a finished file",
        action="write",
        run=purge,
        path_type=SessionPath,
        errors=SESSION_ERRORS,
    ),
)
