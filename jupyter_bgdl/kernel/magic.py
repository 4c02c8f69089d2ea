"""``%%background_session``: runs the cell now, and registers it as the session's launch cell.

An input transformer takes the magic's line away, so that the body is an ordinary cell: top-level
``await``, line numbers of tracebacks and the hooks of the shell work. What is registered is the
raw cell, in ``pre_run_cell``, so that it is even if the body fails. A magic with which something
is wrong is left where it is: then IPython calls it as a cell magic, which raises.
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.kernel import launching
from jupyter_bgdl.kernel.calls import register_launch
from jupyter_bgdl.kernel.free_names import free_names
from jupyter_bgdl.kernel.launch_cells import LaunchMagic, magic_of, parse, request_of
from jupyter_bgdl.launches import LaunchCheck

_NAME = "background_session"


def load(shell: Any) -> None:
    """For ``%load_ext``. Loading twice does nothing more."""
    if strip in shell.input_transformers_cleanup:
        return
    shell.input_transformers_cleanup.append(strip)
    shell.register_magic_function(background_session, "cell", _NAME)
    shell.events.register("pre_run_cell", _before)


def unload(shell: Any) -> None:
    if strip not in shell.input_transformers_cleanup:
        return
    shell.input_transformers_cleanup.remove(strip)
    shell.magics_manager.magics["cell"].pop(_NAME, None)
    shell.events.unregister("pre_run_cell", _before)


def strip(lines: list[str]) -> list[str]:
    """The cell without the magic. Called several times for one cell, and for cells that are only
    looked at, so it does nothing else."""
    if magic_of("".join(lines)) is None:
        return lines
    rest = lines[1:]
    first = next((line for line in rest if line.strip()), "")
    # Another cell magic below has to come first now; else the lines keep their numbers.
    return rest[rest.index(first) :] if first.startswith("%%") else ["\n", *rest]


def background_session(line: str, cell: str) -> None:
    """%%background_session IDENTIFIER [--check]

    Runs the cell, and registers it as what the server runs in a fresh kernel of this notebook when
    transfers of the session are done and no kernel is there to hear of it. So the cell has to
    stand on its own: imports, the session of that identifier, its delegate or handlers.

    --check  first runs it in a fresh kernel, and shows whether it can.
    """
    parse(line, cell)
    raise AssertionError("a cell with which nothing is wrong has lost its magic before this")


def _before(info: Any) -> None:
    magic = magic_of(info.raw_cell)
    if magic is None or launching.is_launching():
        return
    try:
        _register(magic)
    except BackgroundTransferError as error:
        # The cell is run all the same, and says itself what it can't do.
        _say(f"The launch cell was not registered. {type(error).__name__}: {error}")


def _register(magic: LaunchMagic) -> None:
    request = request_of(source=magic.body)
    register_launch(magic.identifier, request)
    if names := free_names(_python(magic.body)):
        _say(
            f"This cell uses what it does not define: {', '.join(names)}. A fresh kernel has none "
            "of it, so define or import it in the cell."
        )
    if magic.checks:
        _show(register_launch(magic.identifier, request, checks=True))


def _python(source: str) -> str:
    from IPython import get_ipython

    shell = get_ipython()
    return str(shell.transform_cell(source)) if shell is not None else source


def _show(check: LaunchCheck | None) -> None:
    if check is None:
        return
    words = {
        "ok": "In a fresh kernel this cell runs.",
        "error": "In a fresh kernel this cell fails:",
        "timeout": "In a fresh kernel this cell runs for too long to be waited for.",
    }
    print(words[check.status], file=sys.stdout if check.status == "ok" else sys.stderr)
    if check.output:
        print(check.output, end="" if check.output.endswith("\n") else "\n")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
