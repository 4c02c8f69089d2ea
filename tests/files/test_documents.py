"""What the documents and the notebooks say is true of the code."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
NOTEBOOKS = list(ROOT.glob("notebooks/*.ipynb"))


def name(path: Path) -> str:
    return path.name


def sources(notebook: Path, kind: str) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_to_files_that_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    local = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_python_in_the_documents_parses(document: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL):
        compile(block, document.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_reference_has_every_public_name() -> None:
    import jupyter_bgdl

    reference = (ROOT / "docs" / "reference.md").read_text()
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", reference))))
    assert set(jupyter_bgdl.__all__) - named == set()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_notebooks_hold_code_that_parses_and_no_outputs(notebook: Path) -> None:
    for cell in json.loads(notebook.read_text())["cells"]:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")
    for source in sources(notebook, "code"):
        # The magic runs its body as an ordinary cell.
        body = re.sub(r"\A%%background_session .*", "", source)
        if body.startswith("%"):
            continue
        compile(body, notebook.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_make_help_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(re.findall(r"^  make ([a-z-]+) +\S", shown, re.MULTILINE)) == phony
