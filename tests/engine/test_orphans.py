"""Parts of attempts that were killed before they could tell of them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from jupyter_bgdl.engine.orphans import drop_orphans, part_names
from jupyter_bgdl.engine.part import PartFile, discard
from jupyter_bgdl.engine.protocol import Attempt, Fetch, Part


def made(folder: Path, mark: str, task: int, number: int, which: int = 0) -> Path:
    name = next(islice(part_names(mark, Attempt(task, number)), which, None))
    path = folder / name
    path.write_bytes(b"bytes")
    return path


def test_an_orphan_goes_when_its_task_is_fetched_again(tmp_path):
    orphans = [
        made(tmp_path, "a1", 7, 2),
        made(tmp_path, "a1", 7, 3),
        made(tmp_path, "a1", 7, 3, 1),
    ]
    drop_orphans(Fetch(attempt=Attempt(7, 4), url="", folder=str(tmp_path), mark="a1"))
    assert not any(path.exists() for path in orphans)


def test_nothing_else_goes(tmp_path):
    known = made(tmp_path, "a1", 7, 3)
    kept = [
        known,
        made(tmp_path, "a1", 7, 4),  # its own
        made(tmp_path, "a1", 8, 3),  # another task's
        made(tmp_path, "b2", 7, 3, 1),  # another ledger's
    ]
    folder = tmp_path / next(part_names("a1", Attempt(7, 2)))
    folder.mkdir()
    part = Part(str(known), 1, 1)
    drop_orphans(Fetch(attempt=Attempt(7, 4), url="", folder=str(tmp_path), mark="a1", part=part))
    assert all(path.exists() for path in kept)
    assert folder.is_dir()


def test_a_name_that_is_taken_is_left_alone(tmp_path):
    taken = made(tmp_path, "a1", 7, 1)
    part = PartFile.create(str(tmp_path), part_names("a1", Attempt(7, 1)))
    part.write(b"new", 0)
    part.close()
    assert part.path != str(taken)
    assert taken.read_bytes() == b"bytes"


def test_a_part_is_given_up_although_its_device_was_renumbered(tmp_path):
    path = made(tmp_path, "a1", 7, 1)
    status = path.stat()
    discard(Part(str(path), status.st_dev + 1, status.st_ino + 1))
    assert path.exists()
    discard(Part(str(path), status.st_dev + 1, status.st_ino))
    assert not path.exists()
