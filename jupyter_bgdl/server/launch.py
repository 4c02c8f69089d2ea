"""Operations on a session's launch cell."""

from __future__ import annotations

import time

from jupyter_bgdl import errors
from jupyter_bgdl.launches import (
    LaunchCell,
    LaunchCheck,
    LaunchRequest,
    LaunchSwitch,
    LaunchView,
)
from jupyter_bgdl.server.launch_check import check
from jupyter_bgdl.server.operations import SESSION_ERRORS, Call, Operation, SessionPath
from jupyter_bgdl.service.sessions import check_identifier

_PATH = "/bgdl/sessions/{identifier}/launch"
_ERRORS = (*SESSION_ERRORS, errors.LaunchError)


async def _cell(call: Call) -> LaunchCell:
    check_identifier(call.path.identifier)
    request: LaunchRequest = call.body
    found = await call.launcher().notebooks.of_kernel(request.kernel_id)
    if found is None:
        raise errors.LaunchError(
            "A launch cell belongs to a notebook, and this kernel has none: the server could not "
            "start it again. Run the cell in a notebook."
        )
    notebook, kernel_name = found
    return LaunchCell(
        notebook=notebook,
        kernel_name=kernel_name,
        source=request.source,
        target=request.target,
        registered_at=time.time(),
    )


async def register(call: Call) -> LaunchView:
    cell = await _cell(call)
    return await call.service().launches.register(call.user, call.path.identifier, cell)


async def show(call: Call) -> LaunchCell:
    return await call.service().launches.cell(call.user, call.path.identifier)


async def remove(call: Call) -> None:
    await call.service().launches.remove(call.user, call.path.identifier)


async def switch(call: Call) -> LaunchView:
    launches = call.service().launches
    return await launches.switch(call.user, call.path.identifier, call.body.enabled)


async def run(call: Call) -> None:
    cell = await call.service().launches.cell(call.user, call.path.identifier)
    call.launcher().run_now(call.user, call.path.identifier, cell)


async def rehearse(call: Call) -> LaunchCheck:
    return await check(call.launcher().notebooks, call.path.identifier, await _cell(call))


async def completed(call: Call) -> None:
    call.launcher().completed(call.user, call.path.identifier)


OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        name="launch_cell",
        summary="A session's launch cell, with its code",
        action="execute",
        run=show,
        path_type=SessionPath,
        response=LaunchCell,
        errors=_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH,
        name="register_launch_cell",
        summary="Set a session's launch cell; the session is made if it is new",
        action="execute",
        run=register,
        path_type=SessionPath,
        request=LaunchRequest,
        response=LaunchView,
        errors=(*_ERRORS, errors.QuotaExceeded),
    ),
    Operation(
        method="DELETE",
        path=_PATH,
        name="remove_launch_cell",
        summary="Forget a session's launch cell",
        action="write",
        run=remove,
        path_type=SessionPath,
        errors=SESSION_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/switch",
        name="switch_launch",
        summary="Turn launching of a session on or off",
        action="execute",
        run=switch,
        path_type=SessionPath,
        request=LaunchSwitch,
        response=LaunchView,
        errors=_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/run",
        name="run_launch_cell",
        summary="Run a session's launch cell now, in its notebook's kernel or in a fresh one",
        action="execute",
        run=run,
        path_type=SessionPath,
        errors=_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/check",
        name="check_launch_cell",
        summary="Run a launch cell in a fresh kernel, and see whether it can be run there",
        action="execute",
        run=rehearse,
        path_type=SessionPath,
        request=LaunchRequest,
        response=LaunchCheck,
        errors=_ERRORS,
    ),
    Operation(
        method="POST",
        path=_PATH + "/completed",
        name="launch_completed",
        summary="The completion handler of a launch was called",
        action="write",
        run=completed,
        path_type=SessionPath,
        errors=SESSION_ERRORS,
    ),
)
