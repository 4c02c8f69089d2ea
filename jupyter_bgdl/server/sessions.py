"""Operations on sessions."""

from __future__ import annotations

import msgspec

from jupyter_bgdl import errors, model
from jupyter_bgdl.server.operations import SESSION_ERRORS, Call, Operation, SessionPath

_PATH = "/bgdl/sessions/{identifier}"


async def sessions(call: Call) -> model.SessionList:
    return model.SessionList(await call.service().sessions(call.user))


async def session(call: Call) -> model.SessionView:
    return await call.service().session(call.user, call.path.identifier)


async def suspend_all(call: Call) -> model.SessionView:
    return await call.service().pause_all(call.user, call.path.identifier)


async def resume_all(call: Call) -> model.SessionView:
    return await call.service().resume_all(call.user, call.path.identifier)


async def deliver_again(call: Call) -> model.SessionView:
    return await call.service().deliver_again(call.user, call.path.identifier)


async def attach(call: Call) -> model.AttachReply:
    reply = await call.service().attach(call.user, call.path.identifier, call.body)
    if reply.is_owner:
        incarnation = call.body.kernel.incarnation
        call.sockets.attached(call.user, call.path.identifier, incarnation, reply.epoch)
    return msgspec.structs.replace(reply, stops_when_idle=call.stops_when_idle)


async def detach(call: Call) -> None:
    call.sockets.detached(call.user, call.path.identifier, call.body.epoch)
    await call.service().detach(call.user, call.path.identifier, call.body.epoch)


async def invalidate(call: Call) -> None:
    body = call.body
    await call.service().invalidate(call.user, call.path.identifier, body.epoch, cancel=body.cancel)


OPERATIONS = (
    Operation(
        method="GET",
        path="/bgdl/sessions",
        name="sessions",
        summary="List the sessions",
        action="read",
        run=sessions,
        response=model.SessionList,
    ),
    Operation(
        method="GET",
        path=_PATH,
        name="session",
        summary="One session",
        action="read",
        run=session,
        path_type=SessionPath,
        response=model.SessionView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/redeliver",
        name="deliver_again",
        summary="Deliver the events again whose callbacks raised",
        action="write",
        run=deliver_again,
        path_type=SessionPath,
        response=model.SessionView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/suspend",
        name="suspend_all",
        summary="Pause all tasks of a session; they keep their bytes",
        action="write",
        run=suspend_all,
        path_type=SessionPath,
        response=model.SessionView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/resume",
        name="resume_all",
        summary="Start all suspended tasks of a session",
        action="write",
        run=resume_all,
        path_type=SessionPath,
        response=model.SessionView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/attach",
        name="attach",
        summary="Attach a kernel to a session, which is created if it is new",
        action="write",
        run=attach,
        path_type=SessionPath,
        request=model.AttachRequest,
        response=model.AttachReply,
        errors=(
            errors.InvalidRequest,
            errors.IncompatibleServer,
            errors.OtherFilesystem,
            errors.QuotaExceeded,
        ),
    ),
    Operation(
        method="POST",
        path=_PATH + "/detach",
        name="detach",
        summary="Give up the ownership of a session",
        action="write",
        run=detach,
        path_type=SessionPath,
        request=model.DetachRequest,
        errors=(*SESSION_ERRORS, errors.SessionInvalidated),
    ),
    Operation(
        method="POST",
        path=_PATH + "/invalidate",
        name="invalidate",
        summary="End a session: no new tasks; it goes when all are done and its owner knows",
        action="write",
        run=invalidate,
        path_type=SessionPath,
        request=model.InvalidateRequest,
        errors=(*SESSION_ERRORS, errors.SessionInvalidated),
    ),
)
