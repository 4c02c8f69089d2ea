"""The five listings of Apple's article, as notebooks/urlsession.ipynb has them, are run here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.jupyter import JupyterServer

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "urlsession.ipynb"
CELLS = {
    cell["id"]: "".join(cell["source"])
    for cell in json.loads(NOTEBOOK.read_text())["cells"]
    if cell["cell_type"] == "code"
}
BODY = content(3_000_000)
DELAY = 3.0


@pytest.fixture
def jupyter(tmp_path: Path, files: FileServer) -> Iterator[JupyterServer]:
    url = files.add("listing.bin", BODY)
    environment = {"URLSESSION_URL": url, "URLSESSION_DELAY": f"{DELAY}"}
    arguments = (
        "--BackgroundTransfers.launch_grace=0.5",
        # The session is discretionary, and the machine that tests may be busy.
        "--BackgroundTransfers.discretionary_load=1000",
    )
    with JupyterServer(tmp_path / "jupyter", environment=environment, arguments=arguments) as one:
        (one.root / NOTEBOOK.name).write_bytes(NOTEBOOK.read_bytes())
        yield one


def log(jupyter: JupyterServer) -> str:
    """What the callbacks printed, and what the server did."""
    lines = jupyter.get("bgdl/sessions/MySession/log")["lines"]
    return "".join(line["text"] for line in lines)


def until(holds: Callable[[], Any], words: Callable[[], object], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, words()
        time.sleep(0.1)


def test_each_listing_does_what_apples_does(jupyter: JupyterServer, files: FileServer) -> None:
    kernel = jupyter.start_kernel(NOTEBOOK.name)
    kernel.run(CELLS["setup"])
    kernel.run(CELLS["store"])
    kernel.run(CELLS["events"])
    kernel.run(CELLS["move"])

    kernel.run(CELLS["session"])
    shown = kernel.run("print(session.identifier, session.is_owner, session.configuration)")
    assert shown.startswith("MySession True")
    assert "discretionary=True, sends_launch_events=True" in shown

    kernel.run(CELLS["task"])
    shown = kernel.run("print(task.state.value, task.waiting_for.value, task.response)")
    assert shown == "running earliest_begin_date None\n"
    shown = kernel.run(
        "print(task.count_of_bytes_client_expects_to_send,"
        " task.count_of_bytes_client_expects_to_receive)"
    )
    assert shown == "200 512000\n"
    assert files["listing.bin"].requests == []

    saved = jupyter.root / "saved"
    shown = kernel.run("print(session.wait(60), background_completion_handler)")
    assert shown == "1 done None\n", "no handler was stored: the guard of listing 4 is true here"
    assert f"saved as {saved / 'listing.bin'}\n" in log(jupyter)
    assert (saved / "listing.bin").read_bytes() == BODY, "more bytes than expected is no error"
    shown = kernel.run(
        "print(task.metrics.transactions[0].fetch_start - task.earliest_begin_date.timestamp())"
    )
    assert float(shown) >= 0

    kernel.run(CELLS["task"])
    assert kernel.run("print(task.state.value)") == "completed\n", "it was found, not begun anew"
    assert len(files["listing.bin"].requests) == 1
    kernel.shutdown()


def test_what_the_listings_look_out_for(jupyter: JupyterServer, files: FileServer) -> None:
    missing = files.add("missing.bin", b"no such file", status=404)
    same_name = files.add("other/listing.bin", b"another file")
    kernel = jupyter.start_kernel(NOTEBOOK.name)
    for cell in ("setup", "store", "events", "move", "session"):
        kernel.run(CELLS[cell])
    saved = jupyter.root / "saved"
    saved.mkdir()
    (saved / "listing.bin").write_bytes(b"mine")
    kernel.run(f"""
for address in ({missing!r}, {same_name!r}, "http://nowhere.invalid/x.bin"):
    session.download_task(address).resume()
    session.wait(60)
""")
    shown = log(jupyter)
    assert "missing.bin: the server answered 404" in shown
    assert f"There is already a file at {saved / 'listing.bin'}" in shown
    assert "x.bin: " in shown, "an error of the client's side comes with the last event"
    assert [path.name for path in saved.iterdir()] == ["listing.bin"]
    assert (saved / "listing.bin").read_bytes() == b"mine"
    kernel.shutdown()


def test_it_goes_on_and_is_told_when_the_kernel_is_gone(
    jupyter: JupyterServer, files: FileServer
) -> None:
    files.hold("listing.bin", 1_000_000)
    kernel = jupyter.start_kernel(NOTEBOOK.name)
    kernel.run(CELLS["load"])
    kernel.run(CELLS["launch"])
    until(lambda: jupyter.task("MySession")["received"] > 0, lambda: jupyter.task("MySession"))
    kernel.shutdown()
    files.hold("listing.bin", None)

    until(lambda: "kernel of urlsession.ipynb was shut down" in log(jupyter), lambda: log(jupyter))
    assert "saved as" in log(jupyter)
    assert "all events were delivered in a kernel that the server has started" in log(jupyter)
    assert (jupyter.root / "saved" / "listing.bin").read_bytes() == BODY
    assert jupyter.get("bgdl/sessions/MySession")["undelivered"] == 0
    assert jupyter.get("api/kernels") == []
    assert len(files["listing.bin"].requests) <= 2, "it was not fetched anew"
