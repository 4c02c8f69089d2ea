"""Secrets: owner-only at rest, and in nothing that is handed out."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_bgdl.model import Phase
from jupyter_bgdl.service.redaction import redacted

U, S = "server", "era5"
CANARY = "c4n4ry"


@pytest.fixture
def umask0() -> Any:
    old = os.umask(0)
    yield
    os.umask(old)


async def test_T13_the_ledger_is_the_owners_alone(umask0: None, tmp_path: Path, names: Any) -> None:
    house = names.House(tmp_path).open()
    try:
        await house.attach()
        await house.submit(house.spec(headers={"X-Key": CANARY}))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in house.state.iterdir()}
        files = {"ledger.db": 0o600, "ledger.db-wal": 0o600, "owner.json": 0o600}
        assert modes == {**files, "receipts": 0o700}
        assert stat.S_IMODE(house.state.stat().st_mode) == 0o700
    finally:
        house.close()


async def test_T12_T14_nothing_that_is_handed_out_holds_a_secret(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret = {
        "url": f"http://user:{CANARY}@h.test/a?X-Amz-Signature={CANARY}&{CANARY}#{CANARY}",
        "headers": {"Authorization": f"Bearer {CANARY}"},
    }
    proxy = f"http://u:{CANARY}@proxy.test:1"
    said: list[Any] = [await house.attach(configuration={"proxy": proxy})]
    said.append(await house.attach(configuration={"proxy": proxy + "2"}))
    said.append(await house.submit(house.spec(**secret), house.spec("b", resume=False)))
    fetch = await house.engine.fetch()
    assert fetch.url == secret["url"]
    house.engine.headers(fetch)
    house.engine.fail(fetch, "tls")
    said.append(await house.until_phase(1, Phase.COMPLETED))
    with pytest.raises(Exception, match="Task 2") as raised:
        await house.submit(house.spec("b", url=secret["url"]))
    said.append(raised.value)
    said.append(await house.service.snapshot(U, None))
    said.append(await house.service.sessions(U))
    said.append(await house.service.tasks(U, S))
    said.append(await house.service.events(U, S, 1, after=0, limit=10))
    said.append(await house.service.log(U, S))
    said.append(house.changes)
    assert CANARY not in repr(said)
    assert CANARY.encode() not in msgspec.json.encode(said[:1] + said[5:-1])
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@h:81/a/b?c=d&e#f", "http://h:81/a/b?c=…&…"),
        ("https://h/", "https://h/"),
        ("http://[::1]:8/", "http://[::1]:8/"),
        ("http://h:port/", "?"),
    ],
)
def test_T12_redaction(url: str, shown: str) -> None:
    assert redacted(url) == shown
