"""Paths as a notebook writes them, and the move of a staged file."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from jupyter_bgdl.errors import DestinationExists, DestinationNotAllowed, InvalidRequest
from jupyter_bgdl.kernel.identity import notebook_path


def resolve_destination(to: str | os.PathLike[str], *, folder: bool = False) -> str:
    """``to`` as an absolute path, against the working folder now.

    A trailing slash means *in there*; an existing folder gets one, and so does any path if
    ``folder``. Raises InvalidRequest.
    """
    text = os.fspath(to)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidRequest("to= has to be a path, as a string or a Path.")
    path = Path(text).expanduser()
    is_folder = folder or text.endswith("/") or path.name in ("", ".", "..") or path.is_dir()
    absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
    return absolute.rstrip("/") + "/" if is_folder else absolute


def resolve_source(from_file: object) -> str:
    """``from_file`` as an absolute path, against the working folder now.

    Raises InvalidRequest for data, open files and streams.
    """
    if not isinstance(from_file, str | os.PathLike):
        raise InvalidRequest(
            f"from_file= is the path of a file, not {type(from_file).__name__}: what is only in "
            "this kernel's memory can't be sent when the kernel is gone. Write it to a file first."
        )
    text = os.fspath(from_file)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidRequest("from_file= has to be a path, as a string or a Path.")
    return os.path.abspath(Path(text).expanduser())  # noqa: PTH100 - links stay


def default_staging() -> str:
    """Hidden, beside the notebook, so that a move out of it is a rename."""
    notebook = notebook_path()
    base = Path(notebook).parent if notebook else Path.cwd()
    return str((base if base.is_dir() else Path.cwd()) / ".bgdl")


def move(source: Path, to: str | os.PathLike[str]) -> Path:
    """Give ``source`` the name ``to`` (in there, if that is a folder), never over a file.

    Doing it twice is doing it once: a target that is the same file counts as moved. Raises
    DestinationExists, DestinationNotAllowed, FileNotFoundError.
    """
    destination = resolve_destination(to)
    target = Path(destination) / source.name if destination.endswith("/") else Path(destination)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _is_same_file(source, target):
            _link(source, target)
        elif not _is_same_name(source, target):
            source.unlink()
    except FileExistsError as error:
        raise DestinationExists(f"There is already a file at {target}.") from error
    except PermissionError as error:
        raise DestinationNotAllowed(f"Nothing may be written at {target}.") from error
    return target


def _is_same_file(source: Path, target: Path) -> bool:
    try:
        return source.samefile(target) and not target.is_symlink()
    except FileNotFoundError:
        if not source.exists():
            raise
        return False


def _is_same_name(source: Path, target: Path) -> bool:
    """Whether both are one entry of one folder, so that unlinking one would lose the file.

    When in doubt (names that differ by case on a file system that may not care) they are.
    """
    return (
        source.parent.samefile(target.parent) and source.name.casefold() == target.name.casefold()
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        _copy(source, target)
    source.unlink()


def _copy(source: Path, target: Path) -> None:
    """Across file systems: a copy under the final name shows only when it is whole."""
    copied = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with source.open("rb") as reader, copied.open("xb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            os.fsync(writer.fileno())
        try:
            os.link(copied, target)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
                raise
            target.touch(exist_ok=False)
            copied.replace(target)
    finally:
        copied.unlink(missing_ok=True)
