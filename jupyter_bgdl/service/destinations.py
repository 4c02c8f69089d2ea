"""What the disk says about a destination. Everything here blocks: call it in a thread."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from jupyter_bgdl.engine.confines import Confines
from jupyter_bgdl.model import IfExists
from jupyter_bgdl.service import sources
from jupyter_bgdl.service.places import Places
from jupyter_bgdl.service.submission import Wanted, as_folder


class Found(Struct, frozen=True, gc=False):
    """A spec, and what lies at its destination."""

    wanted: Wanted
    exists: bool
    """A file is there."""
    refusal: str | None
    """Why nothing may be written there."""


def look(wanted: Iterable[Wanted], places: Places) -> list[Found]:
    """One probe for each folder, however many files go in there.

    Raises :class:`~jupyter_bgdl.errors.InvalidRequest` for a file that can't be uploaded.
    """
    probes = [Probes(places.confines(confined=confined)) for confined in (False, True)]
    return [_look(one, probes[one.confined]) for one in wanted]


class Probes:
    """What was found out about folders, for tasks with the same confines."""

    def __init__(self, confines: Confines | None) -> None:
        self.confines = confines
        self._found: dict[str, str | None] = {}

    def refusal(self, folder: str, name: str | None = None) -> str | None:
        """Why nothing, or no file of that name, can be written to this folder or, if it is
        missing, to the nearest one above."""
        if folder not in self._found:
            refusal = self.confines.refusal(folder) if self.confines else None
            self._found[folder] = refusal or _probe(folder)
        if self.confines is None or name is None or self._found[folder] is not None:
            return self._found[folder]
        return self.confines.refusal_of_name(name)


def _look(wanted: Wanted, probes: Probes) -> Found:
    path = wanted.spec.destination
    if wanted.spec.from_file is not None:
        if wanted.confined and probes.confines is not None:
            refusal = probes.confines.refusal(wanted.spec.from_file)
            if refusal is not None:
                return Found(wanted, False, refusal)
        source = sources.look(wanted.spec.from_file)
        return Found(msgspec.structs.replace(wanted, source=source), False, None)
    if path is None:
        return Found(wanted, False, probes.refusal(wanted.spec.staging or "/"))
    if path.endswith("/"):
        return Found(wanted, False, probes.refusal(path))
    folder, _, name = path.rpartition("/")
    refusal = probes.refusal(folder or "/", name)
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return Found(wanted, False, refusal)
    if stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and Path(path).is_dir()):
        return Found(as_folder(wanted), False, probes.refusal(path))
    if refusal is None and not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        refusal = f"{path} is no regular file."
    return Found(wanted, True, refusal)


def _probe(folder: str) -> str | None:
    """Why nothing can be written to this folder or, if it is missing, to the nearest one above."""
    place = Path(folder)
    while True:
        try:
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            place = place.parent
        except OSError as e:
            return f"{place} cannot be looked at: {os.strerror(e.errno or 0)}."
        else:
            break
    if not stat.S_ISDIR(mode):
        return f"{place} is a file, not a folder."
    try:
        _write(place)
    except OSError as e:
        return f"Nothing can be written in {place}: {os.strerror(e.errno or 0)}."
    return None


def _write(place: Path) -> None:
    """A file without a name, so that nothing is seen of it; where that cannot be, one that goes
    at once. Permission bits alone say little: root, ACLs, read-only mounts, ``chattr +i``."""
    try:
        os.close(os.open(place, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            return  # Full is no refusal: the task waits for disk space.
        if e.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            raise
        with tempfile.TemporaryFile(dir=place):
            pass


def size(path: str) -> int | None:
    """Of a regular file; None: it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def sizes(paths: Iterable[str]) -> dict[str, int | None]:
    return {path: size(path) for path in paths}


def digests(found: Iterable[Found]) -> dict[str, str]:
    """``algorithm:hex`` of each existing file that is to be updated only if it is another than
    the checksum says; a file that cannot be read has none."""
    result = {}
    for one in found:
        spec = one.wanted.spec
        if not spec.checksum or not spec.destination or spec.if_exists is not IfExists.UPDATE:
            continue
        path = Path(spec.destination)
        if one.refusal is None and path.is_file():
            algorithm = spec.checksum.partition(":")[0]
            with suppress(OSError), path.open("rb") as file:
                digest = hashlib.file_digest(file, algorithm).hexdigest()
                result[spec.destination] = f"{algorithm}:{digest}"
    return result
