"""A cell that is run twice is one download; after a failure or a deletion it is another try."""

from __future__ import annotations

from support.fileserver import FileServer, content
from support.jupyter import JupyterServer

CELL = """
import jupyter_bgdl as bgdl
session = bgdl.background_session("again")
task = session.download({url!r}, to="data/a.bin")
session.wait(timeout=30)
print(task.task_identifier, type(task.error).__name__)
"""


def test_same_cell_twice_starts_one_download(jupyter: JupyterServer, files: FileServer) -> None:
    url = files.add("a.bin", content(1_000_000))
    kernel = jupyter.start_kernel()
    assert kernel.run(CELL.format(url=url)) == "1 NoneType\n"
    assert kernel.run(CELL.format(url=url)) == "1 NoneType\n"
    assert len(files["a.bin"].requests) == 1
    kernel.shutdown()


def test_run_after_a_failure_retries(jupyter: JupyterServer, files: FileServer) -> None:
    url = files.add("a.bin", content(1_000_000), status=404)
    kernel = jupyter.start_kernel()
    assert kernel.run(CELL.format(url=url)).endswith("1 HTTPStatusError\n")
    folder = jupyter.root / "data"
    assert not folder.exists() or list(folder.iterdir()) == [], "a 404 leaves no file"
    files["a.bin"].status = 200
    assert kernel.run(CELL.format(url=url)) == "1 NoneType\n"
    assert (folder / "a.bin").read_bytes() == files["a.bin"].body
    kernel.shutdown()


def test_run_after_the_file_was_deleted_fetches_again(
    jupyter: JupyterServer, files: FileServer
) -> None:
    url = files.add("a.bin", content(1_000_000))
    kernel = jupyter.start_kernel()
    kernel.run(CELL.format(url=url))
    path = jupyter.root / "data" / "a.bin"
    path.unlink()
    assert kernel.run(CELL.format(url=url)) == "1 NoneType\n"
    assert path.read_bytes() == files["a.bin"].body
    assert len(files["a.bin"].requests) == 2
    kernel.shutdown()
