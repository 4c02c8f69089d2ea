"""Operations on the tasks of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from jupyter_bgdl import errors, model
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.resume_data import CancelReply, ResumeRequest
from jupyter_bgdl.server.operations import (
    SESSION_ERRORS,
    Call,
    Operation,
    SessionPath,
    TaskPath,
    TasksQuery,
)

_PIECE = 1000
"""Tasks in a piece of a large answer."""
_TASKS = "/bgdl/sessions/{identifier}/tasks"
_TASK = _TASKS + "/{number}"


async def tasks(call: Call) -> model.TaskPage:
    return await call.service().tasks(
        call.user,
        call.path.identifier,
        after=call.query.after,
        limit=call.query.limit,
        completed=call.query.completed,
    )


async def submit(call: Call) -> model.SubmitReply:
    return await call.service().submit(
        call.user,
        call.path.identifier,
        call.body.tasks,
        find_only=call.body.find_only,
        confined=call.confined,
    )


async def submit_many(call: Call) -> AsyncIterator[bytes]:
    """As :func:`submit`, in pieces: a server is not to hold 100,000 views."""
    service, user, session = call.service(), call.user, call.path.identifier
    settled = await service.settle(
        user, session, call.body.tasks, find_only=call.body.find_only, confined=call.confined
    )
    call.body.tasks.clear()

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"tasks":['
        for start in range(0, len(settled), _PIECE):
            piece = settled[start : start + _PIECE]
            views = await service.numbered(user, session, [number for _, number in piece])
            done = [
                model.Submitted(match, view) for (match, _), view in zip(piece, views, strict=True)
            ]
            yield (b"," if start else b"") + msgspec.json.encode(done)[1:-1]
        yield b"]}"

    return pieces()


async def task(call: Call) -> model.TaskView:
    return await call.service().task(call.user, call.path.identifier, call.path.number)


async def change(call: Call) -> model.TaskView:
    return await call.service().change(call.user, call.path.identifier, call.path.number, call.body)


async def metrics(call: Call) -> model.TaskMetrics:
    return await call.service().metrics(call.user, call.path.identifier, call.path.number)


async def content(call: Call) -> bytes:
    return await call.service().content(call.user, call.path.identifier, call.path.number)


async def resume(call: Call) -> model.TaskView:
    return await call.service().resume(call.user, call.path.identifier, call.path.number)


async def suspend(call: Call) -> model.TaskView:
    return await call.service().suspend(call.user, call.path.identifier, call.path.number)


async def cancel(call: Call) -> model.TaskView:
    return await call.service().cancel(call.user, call.path.identifier, call.path.number)


async def resume_data(call: Call) -> CancelReply:
    return await call.service().cancel_for_resume(call.user, call.path.identifier, call.path.number)


async def resume_from(call: Call) -> model.Submitted:
    return await call.service().resume_from(
        call.user, call.path.identifier, call.body, confined=call.confined
    )


async def retry(call: Call) -> model.TaskView:
    return await call.service().retry(call.user, call.path.identifier, call.path.number)


async def moved(call: Call) -> model.TaskView:
    return await call.service().moved(
        call.user,
        call.path.identifier,
        call.path.number,
        call.body.path,
        confined=call.confined,
    )


async def remove(call: Call) -> None:
    await call.service().remove(call.user, call.path.identifier, call.path.number)


def _command(
    name: str,
    summary: str,
    run: Callable[[Call], Awaitable[model.TaskView]],
    *more: type[errors.BackgroundTransferError],
) -> Operation:
    return Operation(
        method="POST",
        path=f"{_TASK}/{name}",
        name=name,
        summary=summary,
        action="write",
        run=run,
        path_type=TaskPath,
        response=model.TaskView,
        errors=(*SESSION_ERRORS, *more),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path=_TASKS,
        name="tasks",
        summary="A page of the tasks of a session",
        action="read",
        run=tasks,
        path_type=SessionPath,
        query_type=TasksQuery,
        response=model.TaskPage,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_TASKS,
        name="submit",
        summary="Hand in downloads and uploads; one that is there already is found again",
        action="write",
        run=submit,
        run_large=submit_many,
        path_type=SessionPath,
        request=model.SubmitRequest,
        response=model.SubmitReply,
        errors=(
            *SESSION_ERRORS,
            errors.DestinationExists,
            errors.DestinationNotAllowed,
            errors.QuotaExceeded,
            errors.SessionInvalidated,
        ),
    ),
    Operation(
        method="GET",
        path=_TASK,
        name="task",
        summary="One task",
        action="read",
        run=task,
        path_type=TaskPath,
        response=model.TaskView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="PATCH",
        path=_TASK,
        name="change",
        summary="Change properties of a task",
        action="write",
        run=change,
        path_type=TaskPath,
        request=TaskChange,
        response=model.TaskView,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="GET",
        path=_TASK + "/metrics",
        name="metrics",
        summary="What the requests of a task took, as far as its attempts are over",
        action="read",
        run=metrics,
        path_type=TaskPath,
        response=model.TaskMetrics,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="DELETE",
        path=_TASK,
        name="remove",
        summary="Forget a completed task and its unfinished bytes, never a finished file",
        action="write",
        run=remove,
        path_type=TaskPath,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="GET",
        path=_TASK + "/content",
        name="content",
        summary="What the server answered to an upload, at most 1 MiB",
        action="read",
        run=content,
        path_type=TaskPath,
        binary=True,
        errors=SESSION_ERRORS,
    ),
    _command("resume", "Start a suspended task", resume),
    _command("suspend", "Pause a task; it keeps its bytes", suspend),
    _command("cancel", "Cancel a task", cancel),
    Operation(
        method="POST",
        path=_TASK + "/resume-data",
        name="cancel_by_producing_resume_data",
        summary="Cancel a download, and keep what was fetched for who has its resume data",
        action="write",
        run=resume_data,
        path_type=TaskPath,
        response=CancelReply,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path="/bgdl/sessions/{identifier}/resumed",
        name="resume_from",
        summary="A suspended download that goes on from resume data",
        action="write",
        run=resume_from,
        path_type=SessionPath,
        request=ResumeRequest,
        response=model.Submitted,
        errors=(
            *SESSION_ERRORS,
            errors.InvalidResumeData,
            errors.DestinationExists,
            errors.DestinationNotAllowed,
            errors.QuotaExceeded,
            errors.SessionInvalidated,
        ),
    ),
    _command(
        "retry",
        "Open a new generation of a failed or cancelled task",
        retry,
        errors.SessionInvalidated,
    ),
    Operation(
        method="POST",
        path=_TASK + "/moved",
        name="moved",
        summary="Tell where a staged file was moved to",
        action="write",
        run=moved,
        path_type=TaskPath,
        request=model.MovedRequest,
        response=model.TaskView,
        errors=SESSION_ERRORS,
    ),
)
