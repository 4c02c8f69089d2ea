"""A ledger that somebody wrote to. Row T21."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.launches import LaunchCell
from jupyter_bgdl.model import Phase

U, S = "server", "era5"

BLOBS = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"{" * 5000,
    b"\xff\xfe",
    b"cos\nsystem\n(S'touch pwned'\ntR.",
    b"[[0, -1]]",
    b'{"request": {"url": "file:///etc/passwd"}, "destination": "/x"}',
    b'{"request": {"url": "http://h/"}, "destination": "../x"}',
    b'{"request": {"url": "http://h/", "headers": {"a\\r\\nb": "c"}}, "destination": "/x"}',
)
TEXTS = ("", "../../x", "/etc/x", ".", "..", "a\0b", "x" * 70_000, "`id`", "<img onerror=x>")
JSON = {
    "tasks": (
        *("spec", "extents", "response", "challenge", "metrics", "held", "source", "resumption"),
        "intent",
    ),
    "sessions": ("options", "owner", "launch", "answers", "environment"),
    "events": ("body",),
}
PATHS = ("name", "folder", "part_path", "path", "keep", "claim", "host", "reason", "validator")


async def fill(house: Any) -> None:
    """A task in each phase that stays, events of it and a launch cell."""
    await house.attach()
    await house.service.launches.register(
        U, S, LaunchCell(notebook="n.ipynb", kernel_name="python3", source="x", registered_at=1.0)
    )
    await house.submit(house.spec("done.bin"))
    await house.engine.bring()
    await house.until_phase(1, Phase.COMPLETED)
    await house.submit(*(house.spec(f"{n}.bin") for n in range(4)))
    first = await house.engine.fetch()
    house.engine.headers(first)
    await house.service.suspend(U, S, 3)
    await house.until_phase(3, Phase.SUSPENDED)


def tamper(state: Path, dice: random.Random) -> list[str]:
    """Change a few values, as the schema lets one."""
    done = []
    with closing(sqlite3.connect(state / "ledger.db")) as db:
        for _ in range(dice.randint(1, 4)):
            table = dice.choice(("tasks", "tasks", "tasks", "sessions", "events"))
            is_path = table == "tasks" and dice.random() < 0.4
            column = dice.choice(PATHS if is_path else JSON[table])
            value: Any = dice.choice(TEXTS if is_path else BLOBS)
            if column in ("answers", "environment"):
                value = value.decode("latin-1")
            where = dice.choice(("1", "rowid % 2" if table == "tasks" else "1"))
            try:
                with db:
                    db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
            except sqlite3.Error:  # The schema has it not.
                continue
            done.append(f"{table}.{column} = {value[:40]!r}")
    return done


async def ask(house: Any) -> None:
    """All that shows rows; errors are ours, or there are none."""
    service = house.service
    for question in (
        lambda: service.sessions(U),
        lambda: service.session(U, S),
        lambda: service.tasks(U, S),
        lambda: service.snapshot(U, None),
        lambda: service.log(U, S),
        lambda: service.diagnose(U),
        lambda: service.launches.agenda(),
        lambda: house.attach("k2", take_over=True),
        *(lambda n=n: service.task(U, S, n) for n in range(1, 6)),
        *(lambda n=n: service.explain(U, S, n) for n in range(1, 6)),
        *(lambda n=n: service.resume(U, S, n) for n in range(1, 6)),
        *(lambda n=n: service.cancel(U, S, n) for n in range(1, 6)),
    ):
        try:
            await question()
        except BackgroundTransferError:
            continue
    epoch = (await house.attach("k2")).epoch
    await service.events(U, S, epoch, after=0, limit=100)


@pytest.mark.parametrize("seed", range(40))
async def test_T21_a_ledger_with_other_values_is_read(
    tmp_path: Path, names: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    house = names.House(tmp_path).open()
    await fill(house)
    house.crash()
    changed = tamper(house.state, random.Random(seed))
    house.open()
    try:
        await ask(house)
        # The service goes on: what is asked for next arrives.
        reply = await house.submit(house.spec(f"new-{seed}.bin"))
        assert reply[0][1].name == f"new-{seed}.bin", changed
        for fetch in list(house.engine.units.queue):
            assert fetch.folder.startswith(str(tmp_path)), changed
    finally:
        house.close()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("column", "value", "stays"),
    [
        ("name", "../../escaped", False),
        ("folder", "/etc", False),
        ("folder", "relative", False),
        ("spec", b'{"request": {"url": "file:///etc/passwd"}, "destination": "/x"}', False),
        ("spec", b"[]", False),
        ("extents", b"[[0]]", False),
        ("reason", "<img onerror=x>", True),
    ],
)
async def test_T21_a_task_that_nobody_could_have_submitted_goes(
    tmp_path: Path, names: Any, column: str, value: Any, stays: bool
) -> None:
    house = names.House(tmp_path).open()
    await fill(house)
    house.crash()
    with closing(sqlite3.connect(house.state / "ledger.db")) as db, db:
        db.execute(f"UPDATE tasks SET {column} = ? WHERE number = 3", (value,))
    house.open()
    try:
        numbers = [task.task_identifier for task in (await house.service.tasks(U, S)).tasks]
        assert (3 in numbers) == stays
        assert {1, 2, 4, 5} <= set(numbers), "the others stay"
    finally:
        house.close()


async def test_T20_T21_a_launch_cell_that_is_none_is_not_run(tmp_path: Path, names: Any) -> None:
    house = names.House(tmp_path).open()
    await fill(house)
    house.crash()
    cell = {"notebook": "n.ipynb", "kernel_name": "python3", "source": 1, "registered_at": 1.0}
    with closing(sqlite3.connect(house.state / "ledger.db")) as db, db:
        db.execute("UPDATE sessions SET launch = ?", (msgspec.json.encode(cell),))
    house.open()
    try:
        assert (await house.service.session(U, S)).launch is None
        assert (await house.service.launches.agenda()).due == []
    finally:
        house.close()


async def test_T21_what_is_right_stays(tmp_path: Path, names: Any) -> None:
    house = names.House(tmp_path).open()
    await fill(house)
    before = await house.service.tasks(U, S)
    house.reopen()
    try:
        after = await house.service.tasks(U, S)
        assert [t.task_identifier for t in after.tasks] == [t.task_identifier for t in before.tasks]
        assert (await house.service.session(U, S)).launch is not None
    finally:
        house.close()
