"""Sessions: who made them, how they are configured, and which kernel owns them.

    nobody ──attach──▶ owned (epoch n) ──lease over──▶ nobody (the incarnation is remembered)
      ▲                   │   ▲  │
      └──────detach───────┘   └──┘ another owner: epoch n + 1, the old one is fenced

The lease ends with the kernel, not with a silent socket: a kernel in a C loop looks dead and is
not. Only where nobody can tell, a socket that was closed for ``Settings.silence`` decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from jupyter_bgdl.errors import (
    IncompatibleServer,
    InvalidRequest,
    OtherFilesystem,
    SessionInvalidated,
    TaskNotFound,
)
from jupyter_bgdl.model import (
    IDENTIFIER,
    PROTOCOL,
    AttachRequest,
    KernelIdentity,
    OptionChange,
    SessionOptions,
    is_identifier,
)
from jupyter_bgdl.service.changes import Change, OwnerChanged, StateChanged
from jupyter_bgdl.service.headers import check_headers
from jupyter_bgdl.service.journal import Journal
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.quotas import Quotas
from jupyter_bgdl.service.redaction import redacted
from jupyter_bgdl.service.session_log import SessionLog
from jupyter_bgdl.service.views import Row, owner_name, owner_of

Alive = Callable[[KernelIdentity], bool | None]


class Sessions:
    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        log: SessionLog,
        emit: Callable[[Change], None],
        alive: Alive,
        silence: float,
        quotas: Quotas,
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._log = log
        self._emit = emit
        self._alive = alive
        self._silence = silence
        self._quotas = quotas
        self._present: dict[str, int] = {}
        self._absent: dict[str, float] = {}
        self._started = time.monotonic()
        self._names: dict[int, tuple[str, str]] = {}

    def get(self, user: str, identifier: str) -> Row:
        """Raises :class:`TaskNotFound`."""
        row = self._ledger.one("session", user=user, identifier=identifier)
        if row is None:
            raise TaskNotFound(f"There is no session {identifier!r}.")
        return row

    def get_or_add(self, user: str, identifier: str) -> Row:
        """Inside a transaction. Raises :class:`QuotaExceeded`."""
        row = self._ledger.one("session", user=user, identifier=identifier)
        if row is None:
            self._quotas.check_sessions()
            row = self._ledger.one(
                "add_session", user=user, identifier=identifier, options=b"{}", now=time.time()
            )
            assert row
        return row

    def by_id(self, session: int) -> Row:
        row = self._ledger.one("session_by_id", id=session)
        assert row
        return row

    def name(self, session: int) -> tuple[str, str]:
        """User and identifier; they never change."""
        if session not in self._names:
            row = self.by_id(session)
            self._names[session] = row["user"], row["identifier"]
        return self._names[session]

    def attach(
        self, user: str, identifier: str, request: AttachRequest
    ) -> tuple[Row, bool, bool, list[OptionChange]]:
        """Inside a transaction: ``(session, is owner, was created, changed options)``."""
        row = self.get_or_add(user, identifier)
        if request.rehearses:
            return row, False, False, []
        # Its launch cell may have been registered before anybody attached.
        created = row["epoch"] == 0
        is_owner = self._claim(row, request.kernel, request.take_over)
        changed: list[OptionChange] = []
        if is_owner:
            changed = self._configure(row, request.configuration, created)
        self.changed(row)
        return self.by_id(row["id"]), is_owner, created, changed

    def forget(self, row: Row) -> None:
        """With all its tasks, events and lines of log; its name is known on, for what the engine
        has still to say of it."""
        self._names[row["id"]] = row["user"], row["identifier"]
        self._ledger.run("delete_session", id=row["id"])

    def detach(self, row: Row, epoch: int) -> None:
        self.check_epoch(row, epoch)
        self._ledger.set(
            "sessions", row["id"], owner=None, incarnation=None, epoch=row["epoch"] + 1
        )
        self._journal.land(row["id"])
        self.changed(row)

    def check_epoch(self, row: Row, epoch: int) -> None:
        """Raises :class:`SessionInvalidated` for anything but the epoch that is in force."""
        if epoch != row["epoch"]:
            owner = owner_of(row)
            by = f": {owner_name(owner)} owns it now" if owner else ""
            raise SessionInvalidated(f"The session {row['identifier']!r} was taken over{by}.")

    # Presence and leases

    def present(self, incarnation: str) -> None:
        self._present[incarnation] = self._present.get(incarnation, 0) + 1
        self._absent.pop(incarnation, None)

    def absent(self, incarnation: str) -> None:
        left = self._present.get(incarnation, 0) - 1
        if left > 0:
            self._present[incarnation] = left
        else:
            self._present.pop(incarnation, None)
            self._absent[incarnation] = time.monotonic()

    def lives(self, owner: KernelIdentity) -> bool:
        alive = self._alive(owner)
        if alive is not None:
            return alive
        if owner.incarnation in self._present:
            return True
        since = self._absent.get(owner.incarnation, self._started)
        return time.monotonic() - since < self._silence

    def end_leases(self) -> list[Row]:
        """Give up the owners whose kernels are gone. Returns their sessions."""
        gone = []
        for row in self._ledger.all("owned_sessions"):
            owner = owner_of(row)
            if owner and not self.lives(owner):
                gone.append((row, owner))
        if gone:
            with self._ledger.transaction():
                for row, owner in gone:
                    self._ledger.set("sessions", row["id"], owner=None)
                    self._log.add(row["id"], f"{owner_name(owner)} is gone.", "server")
                    self.changed(row)
        return [row for row, _ in gone]

    def _claim(self, row: Row, kernel: KernelIdentity, take_over: bool) -> bool:
        owner = owner_of(row)
        epoch = row["epoch"]
        if row["incarnation"] != kernel.incarnation:
            if owner and not take_over and not self._gives_way(owner, kernel):
                return False
            epoch += 1
            name = owner_name(kernel)
            self._journal.land(row["id"])
            self._log.add(row["id"], f"{name} owns the session now.", "server")
            change = OwnerChanged(row["user"], row["identifier"], epoch, name)
            self._ledger.on_commit(lambda: self._emit(change))
        self._ledger.set(
            "sessions",
            row["id"],
            owner=msgspec.json.encode(kernel),
            incarnation=kernel.incarnation,
            epoch=epoch,
        )
        return True

    def _gives_way(self, owner: KernelIdentity, kernel: KernelIdentity) -> bool:
        """Whether the owner loses the session to this kernel without being asked."""
        if owner.kernel_id is not None and owner.kernel_id == kernel.kernel_id:
            return True  # The same kernel, restarted.
        if owner.notebook is not None and owner.notebook == kernel.notebook:
            return True
        return not self.lives(owner)

    # Options

    def options(self, row: Row) -> SessionOptions:
        return msgspec.json.decode(row["options"], type=SessionOptions)

    def _configure(self, row: Row, given: dict[str, Any], created: bool) -> list[OptionChange]:
        if not given:
            return []
        stored: dict[str, Any] = msgspec.json.decode(row["options"])
        old = self.options(row)
        merged = {**stored, **given}
        new = msgspec.convert(merged, SessionOptions)
        self._ledger.set("sessions", row["id"], options=msgspec.json.encode(merged))
        if created:
            return []
        return [
            OptionChange(name, _shown(name, getattr(old, name)), _shown(name, getattr(new, name)))
            for name in given
            if getattr(old, name) != getattr(new, name)
        ]

    def changed(self, row: Row) -> None:
        change = StateChanged(row["user"], row["identifier"])
        self._ledger.on_commit(lambda: self._emit(change))


def check_attach(identifier: str, request: AttachRequest) -> None:
    """Everything that can be wrong with an attach; looks at the disk, so call it in a thread."""
    if request.protocol != PROTOCOL:
        raise IncompatibleServer(
            f"The kernel speaks version {request.protocol} of the protocol, this server version "
            f"{PROTOCOL}. Install the same version of jupyter_bgdl for both, and restart them."
        )
    check_identifier(identifier)
    check_options(request.configuration)
    kernel = request.kernel
    try:
        inode = Path(kernel.directory).stat().st_ino
    except (OSError, ValueError):
        inode = None
    if inode != kernel.inode:
        raise OtherFilesystem(
            f"The kernel's working folder {kernel.directory!r} is not the same folder for the "
            "Jupyter server: they do not see the same files."
        )


def check_identifier(identifier: str) -> None:
    """Raises :class:`InvalidRequest`."""
    if not is_identifier(identifier):
        raise InvalidRequest(IDENTIFIER)


def check_options(given: dict[str, Any]) -> None:
    """Raises :class:`InvalidRequest` that names what is unknown or wrong; never its value."""
    unknown = sorted(set(given) - set(SessionOptions.__struct_fields__))
    if unknown:
        raise InvalidRequest(f"Unknown option: {', '.join(unknown)}.")
    try:
        options = msgspec.convert(given, SessionOptions)
    except msgspec.ValidationError as e:
        raise InvalidRequest(f"The configuration is not valid: {e}.") from e
    check_headers(options.additional_headers)
    for name in ("staging_directory", "ca_bundle"):
        path: str | None = getattr(options, name)
        if path is not None and (not Path(path).is_absolute() or "\0" in path):
            raise InvalidRequest(f"{name} must be an absolute path.")


def shown_options(options: SessionOptions) -> dict[str, Any]:
    """What is in force, without headers and without the proxy's credentials."""
    shown: dict[str, Any] = msgspec.to_builtins(options)
    del shown["additional_headers"]
    if options.proxy is not None:
        shown["proxy"] = redacted(options.proxy)
    return shown


def _shown(name: str, value: Any) -> str:
    if name == "additional_headers":
        return ", ".join(sorted(value)) or "none"
    if name == "proxy" and value is not None:
        return redacted(value)
    return str(value)
