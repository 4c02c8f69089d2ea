"""What an engine is asked to do, and what it reports.

An engine moves bytes and knows nothing of sessions. It is handed *units*, each one attempt at
one thing, and sends *reports* that carry the attempt they belong to, so that a report of an
attempt that is no longer wanted can be told and ignored.

    Fetch   ──▶ Headers ──▶ Progress*, Checkpoint* ──▶ Ready ─┐
       ├──▶ Unchanged                                         │ the intent is committed
       └──▶ Failed                                            │
    Publish ◀─────────────────────────────────────────────────┘
       └──▶ Published | Failed
    Upload  ──▶ Resumable ──▶ Progress* ──▶ Uploaded | Failed
    Withdraw ──▶ Failed(code="stopped"), whatever came of it

``Metrics`` comes right before the report that ends a fetch or an upload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

from msgspec import Struct

from jupyter_bgdl.engine.confines import Confines
from jupyter_bgdl.model import IfExists, TransactionMetrics

Extents = list[tuple[int, int]]
"""Byte ranges ``[start, end)`` that are on stable storage: disjoint, ascending."""


FROM_MIRROR = " from mirror "
"""Joins the validator of a part that was begun from a mirror with the mirror's number, from 1: it
says nothing about what is at another address, and must not be sent there."""


class Attempt(Struct, frozen=True, array_like=True):
    """Names one attempt. ``task`` is the ledger's row, ``number`` grows with each attempt."""

    task: int
    number: int


class Part(Struct, frozen=True):
    """The file that holds the bytes until they are published."""

    path: str
    device: int
    inode: int


class Known(Struct, frozen=True):
    """The validators under which the file at the destination was fetched."""

    etag: str | None = None
    last_modified: str | None = None


class Fetch(Struct, frozen=True, kw_only=True, tag="fetch"):
    """Bring the bytes of a resource into a part."""

    attempt: Attempt
    group: int = 0
    """Units of one group share ``connections``; a group is a session, but the engine need not
    know that."""
    connections: int = 1
    """Connections that the group may have to one host; segments count."""
    url: str
    mirrors: list[str] = []
    """Other addresses of the same file."""
    method: str = "GET"
    headers: dict[str, str] = {}
    folder: str
    """Where a new part is made (missing folders too): beside the destination."""
    confines: Confines | None = None
    """Where a new part may be made; None: wherever the user may write."""
    mark: str = "0"
    """In the names of its parts: tells them from those of other ledgers in the same folder. An
    attempt deletes what earlier ones of the same task and mark left, but for ``part``."""
    name: str | None = None
    """Final name; None: the safe suggested one is taken from the response."""
    part: Part | None = None
    """What an earlier attempt left. It is used only if inode and size fit ``extents``."""
    extents: Extents = []
    validator: str | None = None
    """Strong ETag or strong Last-Modified of the first response, as sent in If-Range; of a mirror
    with ``FROM_MIRROR`` and its number."""
    total: int | None = None
    """Complete length according to the first response."""
    checksum: str | None = None
    size: int | None = None
    expected: int | None = None
    """Upper bound of the bytes to receive, for the look at the free space before any are."""
    known: Known | None = None
    """Fetch only if the resource is another by now; else the answer is ``Unchanged``."""
    accept_html: bool = False
    allow_downgrade: bool = False
    verify: bool = True
    error_bodies: bool = False
    """Deliver the body of a response that is not 2xx (nothing retryable unless ``last``)."""
    last: bool = False
    """No retry follows: with ``error_bodies``, a retryable response is delivered too."""
    timeout: float = 60.0
    """Seconds below 1 kB/s after which the attempt fails with ``stalled``."""
    proxy: str | None = None
    ca_bundle: str | None = None


class Publish(Struct, frozen=True, kw_only=True, tag="publish"):
    """Give a complete part its name. Doing it twice is doing it once: a target that already has
    the part's inode is ours."""

    attempt: Attempt
    part: Part
    size: int
    target: str
    if_exists: IfExists
    confines: Confines | None = None
    """Where the target and the link may be; None: wherever the user may write."""
    keep: str | None = None
    """A second hard link to make first, so that a staged file outlives what is done with it."""


class Source(Struct, frozen=True, kw_only=True):
    """The file that is uploaded, as it was when the upload was submitted."""

    path: str
    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds since the epoch (``st_mtime_ns``)."""


class Resumption(Struct, frozen=True):
    """Where an interrupted upload goes on."""

    protocol: Literal["ietf", "tus"]
    url: str
    """The upload resource that the server made."""


class Upload(Struct, frozen=True, kw_only=True, tag="upload"):
    """Send a file as the body of a request."""

    attempt: Attempt
    group: int = 0
    connections: int = 1
    url: str
    method: str
    headers: dict[str, str] = {}
    source: Source
    resumption: Resumption | None = None
    """What an earlier attempt was given."""
    last: bool = False
    """No retry follows: a retryable status is delivered as the response, too."""
    allow_downgrade: bool = False
    verify: bool = True
    timeout: float = 60.0
    proxy: str | None = None
    ca_bundle: str | None = None


class Withdraw(Struct, frozen=True, kw_only=True, tag="withdraw"):
    """Tell the server that a resumable upload goes no further, so that it can drop what it has.
    Best effort, once."""

    attempt: Attempt
    upload: Upload
    """As it was submitted last, with its resumption."""


Unit = Fetch | Publish | Upload | Withdraw


class Headers(Struct, frozen=True, kw_only=True, tag="headers"):
    """The response is accepted. ``received`` is where the body begins in the part: 0 after a
    restart from zero, which always opens a new part."""

    attempt: Attempt
    url: str
    status_code: int
    headers: dict[str, str]
    name: str
    part: Part
    received: int
    total: int | None
    validator: str | None


class Progress(Struct, frozen=True, tag="progress"):
    """May be dropped."""

    attempt: Attempt
    received: int
    """Bytes that are there; of an upload, those that were sent."""


class Checkpoint(Struct, frozen=True, tag="checkpoint"):
    """``extents`` survived an fdatasync."""

    attempt: Attempt
    extents: Extents


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """All bytes are on stable storage and verified against what was given."""

    attempt: Attempt
    part: Part
    size: int
    digest: str | None
    """``algorithm:hex``, if a checksum was asked for, or told by the server."""
    name: str
    ended_by_close: bool = False
    """The body ended with its connection, so that one that was cut looks the same."""
    notes: list[str] = []
    """What the person may want to know, such as mirrors that have another file."""


class Unchanged(Struct, frozen=True, tag="unchanged"):
    """The resource is still the one that is ``known``."""

    attempt: Attempt


class Published(Struct, frozen=True, tag="published"):
    attempt: Attempt
    path: str
    copied: bool = False
    """The part was on another file system. It is still there, as the proof that the file of that
    name is its copy, and may go once this is committed."""


class Resumable(Struct, frozen=True, tag="resumable"):
    """The server can go on with this upload after an interruption."""

    attempt: Attempt
    resumption: Resumption


class Uploaded(Struct, frozen=True, kw_only=True, tag="uploaded"):
    """The server has the whole body and answered."""

    attempt: Attempt
    url: str
    status_code: int
    headers: dict[str, str]
    content: bytes
    """Of the response, at most 1 MiB."""


class Metrics(Struct, frozen=True, tag="metrics"):
    """What the attempt's requests took."""

    attempt: Attempt
    transactions: list[TransactionMetrics]


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The attempt is over. Nothing of it writes any more."""

    attempt: Attempt
    code: str
    """One of ``engine/outcomes.py``."""
    message: str = ""
    status_code: int | None = None
    retry_after: float | None = None
    """Seconds, from the response, already corrected for the server's clock."""
    extents: Extents | None = None
    """What is on stable storage now; None: as last reported."""
    needed: int | None = None
    """Bytes of the whole file for which the disk has no room."""
    notes: list[str] = []
    """As of :class:`Ready`."""


Report = (
    Headers
    | Progress
    | Checkpoint
    | Ready
    | Unchanged
    | Published
    | Resumable
    | Uploaded
    | Metrics
    | Failed
)
Ending = Ready | Unchanged | Published | Uploaded | Failed
"""After one of these, the engine does not have the attempt any more."""


NetworkMode = Literal["owner", "public_only", "allowlist"]


class NetworkPolicy(Struct, frozen=True):
    """Which addresses may be connected to, as an administrator sets it."""

    mode: NetworkMode = "owner"
    allowed: tuple[str, ...] = ()
    """For "allowlist": host names, ``*.`` in front for those below a name, addresses and networks
    in CIDR notation."""


class Limits(Struct, frozen=True):
    """What the engine may use at most."""

    units: int = 512
    """That it has at all; those beyond the other limits stand in line."""
    transfers: int = 16
    """Fetches and uploads that move at the same time."""
    connections_per_host: int = 16
    """Over all groups."""
    bandwidth: int | None = None
    """Bytes a second, over all units; None: as fast as it goes."""
    policy: NetworkPolicy = NetworkPolicy()
    """Where connections may lead."""


class Engine(Protocol):
    """Implemented by :class:`~jupyter_bgdl.engine.local.LocalEngine`.

    All methods are called from one thread and return at once; ``report`` is called from a
    thread of the engine's own, with the reports of one moment together.
    """

    def start(self, report: Callable[[list[Report]], None]) -> None: ...

    def submit(self, units: Iterable[Unit]) -> None: ...

    def stop(self, attempts: Iterable[Attempt]) -> None:
        """End these attempts. Each answers with ``Failed(code="stopped")``, unless it was over."""

    def configure(self, limits: Limits) -> None: ...

    def running(self) -> set[Attempt]:
        """Attempts that were submitted and have not ended."""

    def capacity(self) -> int:
        """How many more units it takes now."""

    def close(self, timeout: float) -> None:
        """Checkpoint everything and end, within ``timeout`` seconds."""
