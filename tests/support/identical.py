"""The assertion that matters most: what was published is what was sent."""

from __future__ import annotations

from pathlib import Path


class SilentlyWrong(AssertionError):
    """A file was published, and it is not the resource. ``make faults`` counts these apart."""


class Arrived(bytes):
    """What an engine reported ready. Comparing it with anything else is a silently wrong file."""

    def __eq__(self, other: object) -> bool:
        if not bytes.__eq__(self, other):
            raise SilentlyWrong(f"{len(self):,} bytes that are not what was sent")
        return True

    __hash__ = bytes.__hash__


def assert_identical(path: Path | str, *versions: bytes) -> None:
    """Raises :class:`SilentlyWrong` unless the file holds exactly one of ``versions``."""
    found = Path(path).read_bytes()
    if found not in versions:
        sizes = ", ".join(f"{len(version):,}" for version in versions)
        raise SilentlyWrong(f"{path}: {len(found):,} bytes that are none of those sent ({sizes})")
