"""``%%background_session``: the cell is an ordinary cell, and is what the server keeps."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import CellError, JupyterServer, Kernel

from jupyter_bgdl.kernel.free_names import free_names
from jupyter_bgdl.launches import LONGEST

Notebooks = Any


@pytest.fixture
def kernel(notebooks: Notebooks) -> Kernel:
    opened: Kernel = notebooks.open()
    opened.run("%load_ext jupyter_bgdl")
    return opened


def cell_of(jupyter: JupyterServer, session: str) -> dict[str, Any]:
    return jupyter.get(f"bgdl/sessions/{session}/launch")  # type: ignore[no-any-return]


def test_the_body_is_an_ordinary_cell(jupyter: JupyterServer, kernel: Kernel) -> None:
    body = "import asyncio\nawait asyncio.sleep(0)\nvalue = 6 * 7\nvalue"
    assert kernel.run(f"%%background_session ordinary\n{body}") == "42"
    assert kernel.run("print(value)") == "42\n"
    stored = cell_of(jupyter, "ordinary")
    assert stored["source"] == body
    assert stored["kernel_name"] == "python3"
    assert stored["notebook"] == jupyter.get("bgdl/sessions/ordinary")["launch"]["notebook"]


def test_it_is_registered_even_if_the_body_fails(jupyter: JupyterServer, kernel: Kernel) -> None:
    seen: list[str] = []

    def note(message: dict[str, Any]) -> None:
        if message["msg_type"] == "error":
            seen.extend(message["content"]["traceback"])

    cell = "%%background_session failing\nfirst = 1\n1 / 0\n"
    kernel.client.execute_interactive(cell, output_hook=note, timeout=30)
    text = "".join(seen)
    assert "ZeroDivisionError" in text
    assert "line: 3" in text or "3\x1b" in text or "line 3" in text, "the line of the cell"
    assert cell_of(jupyter, "failing")["source"] == "first = 1\n1 / 0\n"


def test_another_magic_below(jupyter: JupyterServer, kernel: Kernel) -> None:
    assert "41" in kernel.run("%%background_session timed\n%%time\nprint(41)")
    assert cell_of(jupyter, "timed")["source"] == "%%time\nprint(41)"


@pytest.mark.parametrize(
    ("cell", "error", "words"),
    [
        ("%%background_session\nx = 1", "InvalidRequest", "%%background_session IDENTIFIER"),
        ("%%background_session a b\nx = 1", "InvalidRequest", "one identifier"),
        ("%%background_session --chekc\nx = 1", "InvalidRequest", "one identifier"),
        ("%%background_session a/b\nx = 1", "InvalidRequest", "printable characters"),
        ("%%background_session empty\n  \n", "LaunchError", "is empty"),
        (f"%%background_session long\nx = '{'x' * LONGEST}'", "LaunchError", "module:function"),
    ],
    ids=["no identifier", "two", "an unknown option", "a slash", "empty", "too long"],
)
def test_what_is_wrong_is_said(kernel: Kernel, cell: str, error: str, words: str) -> None:
    with pytest.raises(CellError) as raised:
        kernel.run(cell)
    assert raised.value.name == error
    assert words in raised.value.value


def test_one_that_is_too_long_is_refused_by_the_server_too(
    jupyter: JupyterServer, kernel: Kernel
) -> None:
    source = "é" * (LONGEST // 2) + "x"
    with pytest.raises(Exception, match="409"):
        jupyter.post("bgdl/sessions/long/launch", {"kernel_id": kernel.id, "source": source})


def test_free_names_are_warned_about(kernel: Kernel) -> None:
    said = kernel.run("%%background_session free\ndef f():\n    return np.mean(data)\nx = 1\n")
    assert "uses what it does not define: np, data." in said
    assert "define" not in kernel.run("%%background_session free\n!true\n%matplotlib --list\nx = 1")


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import numpy as np, os.path\nnp.x(os)", []),
        ("def f(a, *b, c=d, **e):\n    g = a; return g, b, c, e, h", ["d", "h"]),
        ("class A(B):\n    x = 1\n    y = x\n    def m(self): return x", ["B", "x"]),
        ("[a for a in b if (c := a)]; c", ["b"]),
        ("for i in range(3): pass\nprint(i, __name__, get_ipython(), display, In, _)", []),
        ("try: x\nexcept E as e: e\nwith o() as w: w", ["x", "E", "o"]),
        ("def f():\n    global g\n    g = 1\nprint(g)", []),
        ("f = lambda a: a + b\nawait f(1)\nasync with c as d: d", ["b", "c"]),
        ("match p:\n    case [x, *r]: x, r\n    case {'k': v, **k}: v, k\n    case q: q", ["p"]),
        ("from numpy import *\nmean(x)", []),
        ("del a\na += 1\nb += 1\ndef f():\n    def g(): return local\n    local = 1", []),
        ("this is no Python", []),
        ("@d\ndef f() -> T: ...\nx: U = 1", ["d", "T", "U"]),
    ],
)
def test_free_names(code: str, names: list[str]) -> None:
    assert free_names(code) == names


def test_check_runs_it_in_a_fresh_kernel(jupyter: JupyterServer, kernel: Kernel) -> None:
    kernel.run("helper = 1")
    cell = (
        "%%background_session checked --check\n"
        "import jupyter_bgdl as bgdl, os\n"
        "session = bgdl.background_session('checked')\n"
        "@session.on_finish\n"
        "def finished(task, path): pass\n"
        "print(os.getpid())\n"
    )
    said = kernel.run(cell)
    assert said.startswith("In a fresh kernel this cell runs.\n")
    pids = [int(line) for line in said.splitlines() if line.isdigit()]
    assert len(set(pids)) == 2
    assert pids[1] == kernel.pid
    owner = jupyter.get("bgdl/sessions/checked")["owner"]
    assert owner["kernel_id"] == kernel.id, "whoever owns it goes on"
    assert kernel.run("print(session.is_owner)") == "True\n"

    said = kernel.run(cell + "helper\n")
    assert "In a fresh kernel this cell fails:" in said
    assert "NameError: name 'helper' is not defined" in said
    assert len(jupyter.get("api/kernels")) == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere.to.be.found:main", "can't be imported"),
        ("os:no_such_function", "has no function"),
        ("os:name", "has no function"),
        ("__main__:main", "Put the function into a module"),
        ("os.path.join", "module:function"),
        (lambda: None, "module:function"),
    ],
)
def test_a_target_that_is_none(target: Any, words: str) -> None:
    from jupyter_bgdl.errors import LaunchError
    from jupyter_bgdl.kernel.launch_cells import check_target

    with pytest.raises(LaunchError, match=words):
        check_target(target)


def test_a_target_that_cannot_be_imported_makes_no_session(
    jupyter: JupyterServer, kernel: Kernel
) -> None:
    with pytest.raises(CellError) as raised:
        kernel.run("import jupyter_bgdl as b; b.background_session('never', launch='no:where')")
    assert raised.value.name == "LaunchError"
    assert "never" not in [s["identifier"] for s in jupyter.get("bgdl/sessions")["sessions"]]


def test_a_kernel_with_ipykernel_629_is_launched(
    jupyter: JupyterServer, notebooks: Notebooks, files: FileServer, spec_629: str
) -> None:
    url = files.add("old.bin", content(100_000), hold_at=1000)
    kernel = notebooks.open(kernel_name=spec_629)
    kernel.run("%load_ext jupyter_bgdl")
    kernel.run(
        "%%background_session old\n"
        "import jupyter_bgdl as bgdl\n"
        "@bgdl.handle_events_for_background_session\n"
        "def relaunched(identifier, completion_handler):\n"
        "    print('relaunched', identifier)\n"
        "    completion_handler()\n"
        "session = bgdl.background_session('old')\n"
        "@session.on_finish\n"
        "def finished(task, path): print('finished', path.name)\n"
        f"session.download({url!r}, to='old/')\n"
    )
    kernel.restart()
    files.hold("old.bin", None)
    deadline = time.monotonic() + 40
    while "finished old.bin" not in (log := log_of(jupyter, "old")):
        assert time.monotonic() < deadline, log
        time.sleep(0.2)
    assert log.index("relaunched old") < log.index("finished old.bin")
    assert kernel.run("print(session.is_owner)") == "True\n"


def log_of(jupyter: JupyterServer, session: str) -> str:
    lines = jupyter.get(f"bgdl/sessions/{session}/log")["lines"]
    return "".join(line["text"] for line in lines)


def test_unloaded(kernel: Kernel) -> None:
    kernel.run("%load_ext jupyter_bgdl")
    kernel.run("%unload_ext jupyter_bgdl")
    with pytest.raises(CellError) as raised:
        kernel.run("get_ipython().run_cell_magic('background_session', 'x', 'y')")
    assert raised.value.name == "UsageError"
    kernel.run("%load_ext jupyter_bgdl")


def test_the_completion_handler_warns_the_second_time() -> None:
    from jupyter_bgdl.kernel.launching import CompletionHandler

    done = CompletionHandler("nobody")
    done()
    with pytest.warns(UserWarning, match="was called before"):
        done()


def test_the_handler_of_background_events_is_a_function() -> None:
    import jupyter_bgdl

    with pytest.raises(TypeError, match="is a function"):
        jupyter_bgdl.handle_events_for_background_session(3)  # type: ignore[type-var]
