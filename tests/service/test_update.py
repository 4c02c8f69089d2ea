"""``if_exists="update"``, over the real engine and a server that knows conditions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.station import Station

OLD, NEW = content(300_000, 1), content(300_000, 2)


def sha256(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


class Updater:
    """One file that is submitted again and again."""

    def __init__(self, station: Station, files: FileServer, path: Path) -> None:
        self.station = station
        self.files = files
        self.path = path
        self.url = files.add("a.bin", OLD)

    @property
    def asked(self) -> int:
        return len(self.files["a.bin"].requests)

    def submit(self, **fields: Any) -> dict[str, Any]:
        self.station.submit(self.url, self.path, if_exists="update", **fields)
        view = self.station.wait()
        assert view["error"] is None, view
        assert view["path"] == str(self.path)
        return view


@pytest.fixture
def updater(tmp_path: Path) -> Iterator[Updater]:
    with FileServer() as files, Station(tmp_path / "home") as station:
        yield Updater(station, files, tmp_path / "a.bin")


def test_an_unchanged_source_leaves_the_file_alone(updater: Updater) -> None:
    updater.submit()
    before = updater.path.stat()
    for generation in (2, 3):
        view = updater.submit()
        assert view["generation"] == generation
        assert view["received"] == view["total"] == len(OLD)
        assert view["response"]["status_code"] == 200
        assert updater.files["a.bin"].requests[-1]["if-none-match"] == '"1"'
    assert updater.files["a.bin"].sent == len(OLD)
    after = updater.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_changed_source_replaces_it(updater: Updater) -> None:
    updater.submit()
    updater.files.add("a.bin", NEW, etag='"2"')
    updater.submit()
    assert updater.path.read_bytes() == NEW
    assert list(updater.path.parent.glob(".*.part")) == []


def test_without_a_validator_it_is_fetched_again(updater: Updater) -> None:
    updater.files["a.bin"].etag = None
    updater.submit()
    updater.files["a.bin"].body = NEW
    updater.submit()
    assert updater.path.read_bytes() == NEW


def test_what_somebody_changed_or_deleted_is_fetched_again(updater: Updater) -> None:
    updater.submit()
    updater.path.write_bytes(b"edited")
    updater.submit()
    assert updater.path.read_bytes() == OLD
    updater.path.unlink()
    updater.submit()
    assert updater.path.read_bytes() == OLD
    assert all("if-none-match" not in request for request in updater.files["a.bin"].requests)


def test_a_checksum_that_fits_needs_no_request(updater: Updater) -> None:
    """Also of a file that somebody else put there."""
    updater.path.write_bytes(OLD)
    view = updater.submit(checksum=sha256(OLD))
    assert view["verified"]
    assert view["generation"] == 1
    assert updater.submit(checksum=sha256(OLD))["generation"] == 1
    assert updater.asked == 0


def test_a_checksum_that_does_not_fit_means_another_file(updater: Updater) -> None:
    updater.path.write_bytes(NEW)
    updater.submit(checksum=sha256(OLD))
    assert updater.path.read_bytes() == OLD
    updater.files.add("a.bin", NEW, etag='"2"')
    updater.submit(checksum=sha256(NEW))
    assert updater.path.read_bytes() == NEW


def test_a_file_of_somebody_else_is_replaced(updater: Updater) -> None:
    updater.path.write_bytes(NEW)
    updater.submit()
    assert updater.path.read_bytes() == OLD
