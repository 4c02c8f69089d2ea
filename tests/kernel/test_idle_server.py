"""A date at which the Jupyter server may have been stopped for inactivity is warned about."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.jupyter import JupyterServer

CELL = """
import datetime, jupyter_bgdl as bgdl
session = bgdl.background_session("later")
hour = datetime.timedelta(hours=1)
"""
FIRST = 'session.download("http://127.0.0.1:9/a", to="a/", earliest_begin_date=hour)'
APPLE = 'task = session.download_task("http://127.0.0.1:9/b", to="a/")\n'
WORDS = "may be stopped for inactivity"


@pytest.mark.parametrize(
    ("arguments", "environment", "warns"),
    [
        (("--ServerApp.shutdown_no_activity_timeout=9999",), {}, True),
        ((), {"JUPYTERHUB_API_TOKEN": "secret"}, True),
        ((), {}, False),
        (
            (
                "--ServerApp.shutdown_no_activity_timeout=9999",
                "--BackgroundTransfers.keep_alive=pending",
            ),
            {},
            False,
        ),
    ],
    ids=["it stops by itself", "a hub may cull it", "nothing stops it", "it is kept"],
)
def test_a_date_that_may_come_too_late(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], warns: bool
) -> None:
    home = tmp_path / "jupyter"
    with JupyterServer(home, arguments=arguments, environment=environment) as server:
        kernel = server.start_kernel()
        assert (WORDS in kernel.run(CELL + FIRST)) is warns
        assert WORDS not in kernel.run(FIRST.replace("/a", "/c")), "once is enough"
        resumed = CELL + APPLE + "task.earliest_begin_date = hour\ntask.resume()"
        assert (WORDS in kernel.run(resumed)) is warns
        kernel.shutdown()
