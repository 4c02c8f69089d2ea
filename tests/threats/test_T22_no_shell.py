"""No name, address or header is read by a shell, or run as code. Rows T22 and T21."""

from __future__ import annotations

import ast
from pathlib import Path

from support.fileserver import FileServer
from support.identical import assert_identical
from support.station import Station

import jupyter_bgdl

SHELLS = {"popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
CODE = {"eval", "exec", "compile"}
UNSAFE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
RUNS_CELLS = {"kernel/launch_cells.py"}
"""The kernel's own: they look at the source of a cell that its person runs."""


def test_T21_T22_nothing_is_handed_to_a_shell_or_unpickled() -> None:
    root = Path(jupyter_bgdl.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                name = called.id if isinstance(called, ast.Name) else name
                shell = any(word.arg == "shell" for word in node.keywords)
                builtin = isinstance(called, ast.Name) and name in CODE
                shell |= ast.unparse(called) == "os.system"
                if shell or name in SHELLS or (builtin and where.split(":")[0] not in RUNS_CELLS):
                    found.append(f"{where} {name}")
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{where} {name}" for name in names if name.partition(".")[0] in UNSAFE]
    assert found == []


NAMES = (
    "`touch pwned`.bin",
    "$(touch pwned).bin",
    "; touch pwned; .bin",
    "| touch pwned",
    "-rf",
    "--help",
    "a\nb.bin",
    "%s%n.bin",
    "{0}.bin",
)


def test_T22_a_name_is_a_name(tmp_path: Path, files: FileServer) -> None:
    home = tmp_path / "home"
    files.add("a.bin", b"data")
    with Station(home) as station:
        for name in NAMES:
            station.submit(files.url("a.bin"), home / name, description=name)
        views = [station.wait(number) for number in range(1, len(NAMES) + 1)]
    assert [view["error"] for view in views] == [None] * len(NAMES)
    assert [view["name"] for view in views] == list(NAMES)
    for name in NAMES:
        assert_identical(home / name, b"data")
    assert not [path for path in tmp_path.rglob("*") if path.name == "pwned"]
