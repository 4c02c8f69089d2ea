"""Whether the ledger holds what this program writes, looked at when it is opened (threat T21).

Somebody who could write to the file, or a disk that changed it, must not stop the server, run
code, or have a file written where its task may not write. A task that is not what could have been
submitted goes; of a session what cannot be read is forgotten, its tasks stay. Where a task writes
is judged again each time that it does (:mod:`~.places`).
"""

from __future__ import annotations

import logging
import os.path
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from jupyter_bgdl.asks import Challenge
from jupyter_bgdl.engine.protocol import Extents, Resumption, Source
from jupyter_bgdl.errors import BackgroundTransferError
from jupyter_bgdl.launches import LaunchCell
from jupyter_bgdl.model import KernelIdentity, ResponseView, SessionOptions, TaskSpec, TaskView
from jupyter_bgdl.service.kept_parts import Kept
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.submission import well_formed
from jupyter_bgdl.service.units import Held, Intent
from jupyter_bgdl.service.views import Row

log = logging.getLogger(__name__)

_TASK: dict[str, Any] = {
    "extents": Extents,
    "response": ResponseView,
    "challenge": Challenge,
    "metrics": msgspec.Raw,
    "held": Held,
    "source": Source,
    "resumption": Resumption,
    "intent": Intent,
}
_SESSION: dict[str, tuple[Any, object]] = {
    "options": (SessionOptions, b"{}"),
    "owner": (KernelIdentity, None),
    "launch": (LaunchCell, None),
    "answers": (list[str], "[]"),
    "environment": (list[str], "[]"),
}
"""Type, and what stands for one that cannot be read."""
_ANY = SessionOptions(staging_directory="/")


class _Odd(Exception):
    """A row that this program did not write."""


def inspect(ledger: Ledger) -> None:
    """Take out of an open ledger what cannot be right, and say so in the log."""
    with ledger.transaction():
        for session in ledger.all("every_session"):
            wrong = {
                name: default
                for name, (kind, default) in _SESSION.items()
                if session[name] is not None and not _reads(session[name], kind)
            }
            if wrong:
                ledger.set("sessions", session["id"], **wrong)
                _say("a session", session["id"], ", ".join(wrong))
        _drop(ledger, "every_task", _check_task, "delete_task", "a task")
        _drop(ledger, "every_event", _check_event, "delete_event", "an event")
        _drop(ledger, "every_kept_part", _check_kept, "delete_kept_part", "a kept part")


def _drop(ledger: Ledger, every: str, check: Callable[[Row], None], delete: str, what: str) -> None:
    for key, why in list(_odd(ledger, every, check)):
        ledger.run(delete, **key)
        _say(what, *key.values(), why)


def _odd(ledger: Ledger, every: str, check: Callable[[Row], None]) -> Iterator[tuple[Row, str]]:
    for row in ledger.each(every):
        try:
            check(row)
        except (_Odd, msgspec.MsgspecError, BackgroundTransferError, ValueError) as error:
            names = ("digest",) if "digest" in row else ("session", "sequence")
            keys = ("id",) if "id" in row else names
            # Not the words of the error: they may hold what the row held.
            yield {name: row[name] for name in keys}, type(error).__name__


def _say(what: str, *which: object) -> None:
    log.error("The ledger had %s that cannot be right: %s", what, " ".join(map(str, which)))


def _reads(value: Any, kind: Any) -> bool:
    try:
        msgspec.json.decode(value, type=kind)
    except (msgspec.MsgspecError, ValueError):
        return False
    return True


def _check_task(row: Row) -> None:
    spec = msgspec.json.decode(row["spec"], type=TaskSpec)
    for name, kind in _TASK.items():
        if row[name] is not None and (name, row[name]) != ("extents", b"[]"):
            msgspec.json.decode(row[name], type=kind)
    if row["phase"] == "completed":
        return  # Nothing is done with it any more but to show it.
    wanted, _ = well_formed(spec, _ANY)
    if wanted != spec and wanted.staging == spec.staging:
        raise _Odd("paths")
    if spec.from_file is not None:
        return
    if not _is_name(row["name"]) or not _is_path(row["folder"]):
        raise _Odd("name")
    if spec.destination is not None and row["folder"] != _folder(spec.destination):
        raise _Odd("folder")
    if row["part_path"] is not None and not _is_path(row["part_path"]):
        raise _Odd("part")
    if row["intent"] is not None:
        intent = msgspec.json.decode(row["intent"], type=Intent)
        folder, _, name = intent.target.rpartition("/")
        if (folder or "/") != row["folder"] or not _is_name(name):
            raise _Odd("target")
        if intent.keep is not None and _folder(intent.keep) != row["folder"]:
            raise _Odd("keep")


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _is_path(path: str) -> bool:
    return path.startswith("/") and os.path.normpath(path) == path and "\0" not in path


def _check_event(row: Row) -> None:
    msgspec.json.decode(row["body"], type=TaskView)


def _check_kept(row: Row) -> None:
    msgspec.json.decode(row["body"], type=Kept)
