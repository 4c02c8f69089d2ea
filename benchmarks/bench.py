"""What all figures of one run share: how thorough, where files go, what is served."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.fileserver import BLOCK, Content

MIB = 1 << 20
MEMORY = Path("/dev/shm")
"""The tmpfs that every Linux has."""
DISK = Path(__file__).parent.parent / ".cache" / "benchmarks"


@dataclass
class Bench:
    """Settings of one run; sizes are in bytes."""

    rounds: int
    file_size: int
    limited_size: int
    """Of the file whose server sends only so much on one connection."""
    upload_size: int
    small_files: int
    endurance: int
    """How much passes through the worker whose memory is watched."""
    large_session: int
    """Tasks of the session that is to be large."""
    _digests: dict[int, str] = field(default_factory=dict)

    @classmethod
    def thorough(cls) -> Bench:
        return cls(7, 512 * MIB, 2048 * MIB, 1024 * MIB, 2000, 20_000_000_000, 100_000)

    @classmethod
    def quick(cls) -> Bench:
        return cls(3, 256 * MIB, 512 * MIB, 256 * MIB, 500, 2_000_000_000, 100_000)

    @property
    def slow_size(self) -> int:
        """Of the file for a peer that is so slow that the others would wait for it."""
        return self.file_size // 4

    def say(self, text: str) -> None:
        print(text, flush=True)

    @contextmanager
    def folder(self, parent: Path) -> Iterator[Path]:
        """A new folder below ``parent``, removed with all that is in it."""
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bgdl-bench-", dir=parent) as name:
            yield Path(name)

    def touch_memory(self, folder: Path, size: int) -> None:
        """Write ``size`` bytes and remove them: a page that a virtual machine never used before
        costs extra the first time, and that would be measured instead."""
        with (folder / "touched").open("wb") as file:
            for _ in range(0, size, MIB):
                file.write(bytes(MIB))
        (folder / "touched").unlink()

    def write_source(self, path: Path, size: int) -> None:
        """Make the file that is served."""
        content = Content(size)
        with path.open("wb") as file:
            for start in range(0, size, BLOCK):
                file.write(content.read(start, min(size, start + BLOCK)))
        self._digests[size] = content.sha256

    def write_sparse(self, path: Path, size: int) -> None:
        """Make a file to serve that takes no room: all zeros."""
        with path.open("wb") as file:
            file.truncate(size)
        self._digests[size] = _sha256(path)

    def sha256(self, size: int) -> str:
        """Of the source with this size."""
        return self._digests[size]

    def verify(self, path: Path, size: int) -> None:
        """Every byte of what arrived; then remove it. Raises :class:`RuntimeError`."""
        if _sha256(path) != self._digests[size]:
            raise RuntimeError(f"{path} has other bytes than were served")
        path.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
