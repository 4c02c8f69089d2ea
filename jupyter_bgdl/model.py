"""The vocabulary that every part of the project shares: requests, tasks, sessions, events.

Nothing in here does I/O. The structs are validated where they cross a boundary (REST, the
websocket, the ledger); what msgspec accepts is well-formed. Times are seconds since the epoch
(UTC), durations seconds, sizes bytes, rates bytes a second. Those of which there may be 100,000 at
once are left out of the garbage collector (``gc=False``): they hold no cycles.

    suspended ──resume──▶ waiting ──slot──▶ running ──bytes complete──▶ finishing ──▶ completed
        ▲                  ▲   │               │
        └────suspend───────┴───┴── retry ◀─────┘ transient fault
                           cancel from anywhere ─▶ canceling ─▶ completed (cancelled)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from jupyter_bgdl.asks import Challenge
from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.launches import LaunchView
from jupyter_bgdl.properties import DEFAULT_PRIORITY, Bytes, Description, Priority

PROTOCOL = 1
"""Version of the wire. A kernel and a server understand each other if theirs are equal."""

TOKEN_HEADER = "X-BGDL-Token"
"""Carries a kernel's credential. Not ``Authorization``: a hub's identity provider reads that."""

ENVIRONMENT = "JUPYTER_BGDL_CREDENTIALS"
"""Environment variable that names the credentials file of the server that started the kernel."""


IDENTIFIER = (
    'A session\'s identifier is 1 to 255 printable characters, without "/", and not "." or "..".'
)


def is_identifier(text: str) -> bool:
    """Whether ``text`` can name a session (:data:`IDENTIFIER`).

    It is a segment of a URL's path, in which "." and ".." would be resolved (RFC 3986, 5.2.4).
    """
    return (
        0 < len(text) <= 255 and text.isprintable() and "/" not in text and text not in (".", "..")
    )


class TaskState(StrEnum):
    """The public states, as ``URLSessionTask.State``."""

    RUNNING = "running"
    SUSPENDED = "suspended"
    CANCELING = "canceling"
    COMPLETED = "completed"


class Phase(StrEnum):
    """Where a task is in its life; finer than its state."""

    SUSPENDED = "suspended"
    """Born so, or paused. Holds its bytes; exempt from timeouts."""
    WAITING = "waiting"
    """Resumed, but something has to happen first: see :class:`WaitingFor`."""
    RUNNING = "running"
    """The engine has it."""
    FINISHING = "finishing"
    """All bytes are on disk; being verified and published. The intent is in the ledger."""
    CANCELING = "canceling"
    """Cancelled, and the engine still has to let go of it."""
    COMPLETED = "completed"
    """Done, failed or cancelled: its terminal event is in the journal."""

    @property
    def state(self) -> TaskState:
        if self in (Phase.WAITING, Phase.RUNNING, Phase.FINISHING):
            return TaskState.RUNNING
        return TaskState(self.value)


class WaitingFor(StrEnum):
    """Why a task in phase *waiting* does not run."""

    EARLIEST_BEGIN_DATE = "earliest_begin_date"
    CONDITIONS = "conditions"
    NETWORK = "network"
    RETRY = "retry"
    DISK_SPACE = "disk_space"
    CREDENTIALS = "credentials"
    TURN = "turn"


class IfExists(StrEnum):
    """What to do about a file that is already at the destination."""

    KEEP = "keep"
    """Ours and unchanged counts as done; any other raises ``DestinationExists``."""
    UPDATE = "update"
    """Replaced if the source is another by now, left alone otherwise."""
    REPLACE = "replace"
    RENAME = "rename"


class Request(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What to ask for, as ``URLRequest``.

    ``headers`` are write-only: no answer of the server, no event and no ``repr`` shows them.
    """

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: None = None
    """Always None: a body is sent from a file."""

    def __post_init__(self) -> None:
        if self.body is not None:
            raise InvalidRequest(
                "A request has no body here: what is only in this kernel's memory can't be sent "
                "when the kernel is gone. Write it to a file, and upload that: "
                "session.upload_task(request, from_file=path)."
            )

    def __repr__(self) -> str:
        from urllib.parse import urlsplit

        host = urlsplit(self.url).hostname or "?"
        return f"<Request {self.method} to {host}>"


class SessionOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """A session's configuration on the wire and in the ledger; every field has a default.

    The kernel sends only what was passed explicitly (as a JSON object with fewer keys); the
    server lays it over what it has.
    """

    timeout_for_request: Annotated[float, Meta(gt=0)] = 60.0
    """Seconds that a transfer may stay below 1 kB/s before it is tried again."""
    timeout_for_resource: Annotated[float, Meta(gt=0)] = 7 * 86400.0
    """Seconds that a task may take in all, retries included."""
    maximum_connections_per_host: Annotated[int, Meta(ge=1, le=64)] = 6
    additional_headers: dict[str, str] = {}
    """Sent with every request; the request's own win. Write-only, as all headers."""
    staging_directory: str | None = None
    """Absolute folder for downloads without a destination; None: hidden, beside the notebook."""
    proxy: str | None = None
    ca_bundle: str | None = None
    discretionary: bool = False
    """Its tasks run only under good conditions."""
    sends_launch_events: bool = True
    """Its launch cell is run in a fresh kernel when nobody is there to hear its events."""


class TaskSpec(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """A download, or an upload, as it is handed in. The ledger keeps it as it is sent, defaults
    left out: 100,000 come in one body."""

    request: Request
    from_file: str | None = None
    """Absolute path of the file to upload as the request's body; None: a download."""
    mirrors: list[str] = []
    """Other URLs of the same file."""
    destination: str | None = None
    """Absolute path. A trailing slash, or an existing folder: in there, under the safe suggested
    name. None: the body is staged under ``staging`` and offered to the delegate."""
    staging: str | None = None
    """Absolute folder in which to stage; needed if there is no destination."""
    checksum: str | None = None
    """``algorithm:hex``; sha256, sha512, sha1, md5 or blake2b."""
    size: Annotated[int, Meta(ge=0)] | None = None
    """Exact number of bytes that the file must have."""
    if_exists: IfExists = IfExists.KEEP
    key: str | None = None
    """Finds the task again where its URL varies (signed URLs)."""
    accept_html: bool = False
    allow_downgrade: bool = False
    """Follow a redirect from https to http."""
    verify: bool = True
    """Verify TLS certificates."""
    description: Description = ""
    priority: Priority = DEFAULT_PRIORITY
    earliest_begin_date: float | None = None
    """Not before this moment of the wall clock, as ``URLSessionTask.earliestBeginDate``."""
    count_of_bytes_client_expects_to_send: Bytes | None = None
    """Upper bound, headers included; more is no error."""
    count_of_bytes_client_expects_to_receive: Bytes | None = None
    """Upper bound, headers included, for which room on the disk is waited for; more is no error."""
    resume: bool = True
    """Start it; else it is born suspended."""
    unattended: bool = False
    """It was made by a person, in the panel or by the command, and belongs to no kernel: nothing is
    told of it to a delegate, so nothing is launched for it. Needs a destination."""


class ErrorView(Struct, frozen=True):
    """Why a task failed. ``code`` is one of ``errors.by_code``; ``message`` is for a person."""

    code: str
    message: str


class ResponseView(Struct, frozen=True):
    """The final response's head, as ``HTTPURLResponse``. The URL is redacted."""

    url: str
    status_code: int
    headers: dict[str, str] = {}
    """Representation metadata only (Content-*, ETag, Last-Modified, Accept-Ranges, Date)."""


class TransactionMetrics(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request and its response, as ``URLSessionTaskTransactionMetrics``.

    Moments are seconds since the epoch; None: it did not come to that (a reused connection is
    not looked up, connected or secured again).
    """

    url: str
    """Without userinfo, query values and fragment."""
    method: str = "GET"
    status_code: int | None = None
    fetch_start: float
    domain_lookup_start: float | None = None
    domain_lookup_end: float | None = None
    connect_start: float | None = None
    connect_end: float | None = None
    secure_connection_start: float | None = None
    secure_connection_end: float | None = None
    request_start: float | None = None
    request_end: float | None = None
    response_start: float | None = None
    """The response's head was there."""
    response_end: float | None = None
    network_protocol_name: str | None = None
    """As in ALPN (RFC 7301): ``http/1.1``."""
    is_reused_connection: bool = False
    is_proxy_connection: bool = False
    is_redirect: bool = False
    """Its response sent the client on to another address."""
    segment: tuple[int, int] | None = None
    """``[start, end)`` of the bytes that were answered with (206); None: the whole."""
    count_of_response_body_bytes_received: int = 0
    count_of_request_body_bytes_sent: int = 0
    remote_address: str | None = None
    remote_port: int | None = None


class TaskMetrics(Struct, frozen=True, kw_only=True):
    """What a task's generation took, as ``URLSessionTaskMetrics``."""

    task_interval: tuple[float, float | None]
    """Created, completed."""
    redirect_count: int = 0
    attempts: int = 0
    transactions: list[TransactionMetrics] = []
    """The newest 100, in order."""


class TaskKind(StrEnum):
    DOWNLOAD = "download"
    UPLOAD = "upload"


class TaskView(Struct, frozen=True, kw_only=True, gc=False):
    """A task as anybody with read access may see it. Holds no secret.

    A newer view has a larger ``revision``; an older one is to be ignored.
    """

    session: str
    task_identifier: int
    kind: TaskKind = TaskKind.DOWNLOAD
    generation: int
    """1, and one more each time that a completed task is opened again."""
    revision: int
    state: TaskState
    phase: Phase
    waiting_for: WaitingFor | None = None
    until: float | None = None
    """When it stops waiting, if that is known."""
    reason: str = ""
    """At most a few words for a person: why it waits, or why it failed."""
    name: str
    """File name, final or provisional."""
    host: str
    url: str
    """Original URL without userinfo, query values and fragment."""
    method: str = "GET"
    description: str = ""
    priority: float = DEFAULT_PRIORITY
    earliest_begin_date: float | None = None
    count_of_bytes_client_expects_to_send: int | None = None
    count_of_bytes_client_expects_to_receive: int | None = None
    destination: str | None = None
    path: str | None = None
    """Where the published file is; None before."""
    received: int = 0
    """Bytes that are there (of an upload: that were sent); never falls within a generation
    unless the resource changed."""
    total: int | None = None
    resumed_at: int | None = None
    """How many bytes came with resume data, once the server has taken them for its own."""
    rate: float = 0.0
    """Mean of the last 5 seconds; 0 unless running."""
    attempts: int = 0
    checksum: str | None = None
    verified: bool = False
    verify: bool = True
    """False: its submitter asked for TLS certificates not to be checked."""
    length_unverified: bool = False
    """Nothing said how long the file is: neither the response nor the one who asked for it."""
    challenge: Challenge | None = None
    """Why it waits for credentials, while it does."""
    error: ErrorView | None = None
    response: ResponseView | None = None
    created_at: float
    completed_at: float | None = None


class OwnerView(Struct, frozen=True):
    """The kernel (or script) that a session's events go to."""

    name: str
    """For a person: the notebook's file name, or the script's."""
    kernel_id: str | None = None
    notebook: str | None = None
    """Absolute path of the notebook, if it is known."""


class Counts(Struct, frozen=True):
    """How many tasks of a session are in each condition; they sum up to its tasks."""

    suspended: int = 0
    waiting: int = 0
    running: int = 0
    """Includes finishing and canceling."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0


class SessionView(Struct, frozen=True, kw_only=True):
    """A session as anybody with read access may see it."""

    identifier: str
    revision: int
    owner: OwnerView | None = None
    counts: Counts = Counts()
    received: int = 0
    total: int = 0
    """Sum of the sizes that are known."""
    total_is_known: bool = True
    """False: some sizes are unknown, so ``total`` is a floor."""
    rate: float = 0.0
    undelivered: int = 0
    """Events that wait for a kernel (parked ones not counted)."""
    parked: int = 0
    """Events whose callback raised."""
    launch: LaunchView | None = None
    """Its launch cell; None: nothing is launched when nobody is there to hear its events."""
    created_at: float


class EventKind(StrEnum):
    """What the journal tells a delegate."""

    FINISHED_DOWNLOADING = "finished_downloading"
    """The file is at ``task.path``; always before the task's COMPLETED."""
    COMPLETED = "completed"
    """Last event of a generation; ``task.error`` says how it went."""
    CHALLENGE = "challenge"
    """The task waits for credentials; ``task.challenge`` says why. Wants an answer."""
    DELAYED_REQUEST = "delayed_request"
    """The task's date has come: may it begin? Wants an answer."""
    SESSION_FINISHED = "session_finished"
    """All tasks are done and all their events were delivered."""
    SESSION_INVALID = "session_invalid"
    """The session was invalidated: its last event; its name is free when it was acknowledged."""


class Event(Struct, frozen=True, kw_only=True):
    """One row of a session's journal."""

    session: str
    sequence: int
    """Unique and increasing in its session."""
    kind: EventKind
    task: TaskView | None = None
    """The task as it was when the event was written; None for those of the session."""
    redelivered: bool = False
    """It was sent before, to a kernel that did not acknowledge it."""


class KernelIdentity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who attaches: one incarnation of a kernel, or a script."""

    incarnation: Annotated[str, Meta(min_length=1, max_length=255)]
    """New after each restart."""
    kernel_id: str | None = None
    """As in the server's kernel manager; None for a script."""
    notebook: str | None = None
    pid: int
    host: str
    """Host name and boot id, so that a pid means something."""
    started: float
    """Start time of the process, so that a reused pid is told apart."""
    directory: str
    """Working folder."""
    inode: int
    """Inode of the working folder: another one on the server means another filesystem."""
    name: str = ""


class AttachRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    protocol: int
    kernel: KernelIdentity
    configuration: dict[str, Any] = {}
    """The fields of :class:`SessionOptions` that were passed explicitly."""
    take_over: bool = False
    rehearses: bool = False
    """A launch cell is being checked: the session and its owner stay as they are."""


class OptionChange(Struct, frozen=True):
    """A configured value that this attach changed. Headers are reported by name only."""

    name: str
    old: str
    new: str


class AttachReply(Struct, frozen=True, kw_only=True):
    session: SessionView
    options: dict[str, Any]
    """What is in force, headers and proxy credentials left out."""
    is_owner: bool
    epoch: int
    """Fencing token: what an owner says later carries it, and an older one is refused."""
    created: bool
    changed: list[OptionChange] = []
    tasks: list[TaskView] = []
    """The active ones (not completed); the rest is paged."""
    undelivered: int = 0
    environment: list[str] = []
    """Variables of the kernel's environment that headers refer to: the owner is to give them."""
    receipts: str | None = None
    """Absolute path of the file in which the owner writes the sequence numbers of the events that
    it has dealt with, a line each: an acknowledgement can be lost with both its ends."""
    stops_when_idle: bool = False
    """The server may be stopped for inactivity while tasks only wait for their date."""


class DetachRequest(Struct, frozen=True, forbid_unknown_fields=True):
    epoch: int


class InvalidateRequest(Struct, frozen=True, forbid_unknown_fields=True):
    epoch: int
    cancel: bool = False
    """Cancel the tasks that are not done, rather than let them finish."""


class SubmitRequest(Struct, frozen=True, forbid_unknown_fields=True):
    tasks: Annotated[list[TaskSpec], Meta(min_length=1)]
    find_only: bool = False
    """The server runs a launch cell: a completed task that matches is found as it is, never
    retried or fetched again, and one that is paused stays so."""


class Match(StrEnum):
    """What became of a submitted spec."""

    CREATED = "created"
    FOUND = "found"
    REOPENED = "reopened"
    """A failed or cancelled task, or one whose file is gone: a new generation of it."""


class Submitted(Struct, frozen=True, gc=False):
    match: Match
    task: TaskView


class SubmitReply(Struct, frozen=True):
    tasks: list[Submitted]
    """In the order of the request."""


class TaskPage(Struct, frozen=True):
    tasks: list[TaskView]
    """Ascending by identifier."""
    next: int | None = None
    """Pass as ``after`` for the next page; None: this was the last."""


class SessionList(Struct, frozen=True):
    sessions: list[SessionView]


class MovedRequest(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    """Absolute path to which a staged file was moved."""


class LogLine(Struct, frozen=True, kw_only=True):
    """A line of a session's log: what callbacks printed, and what the server did and why."""

    number: int
    time: float
    source: Literal["callback", "server"]
    text: str


class LogPage(Struct, frozen=True):
    lines: list[LogLine]


class LogRequest(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(max_length=65536)]


class ServerInfo(Struct, frozen=True, kw_only=True):
    """Answer of ``GET /bgdl``."""

    name: Literal["jupyter_bgdl"] = "jupyter_bgdl"
    version: str
    protocol: int = PROTOCOL
    root: str | None = None
    """Absolute path, symlinks resolved, of the folder that the file browser shows."""


class Failure(Struct, frozen=True):
    """Body of every error answer."""

    error: ErrorView


def credentials_name(pid: int) -> str:
    """In the runtime folder, of the server's process."""
    return f"bgdl-{pid}.json"


class Credentials(Struct, frozen=True, kw_only=True):
    """The file that lets the kernels of a server in: 0600, in the runtime folder."""

    url: str
    """Base URL of the server, on loopback; empty if it listens on a Unix socket only."""
    token: str = field()
    pid: int
    certificate: str | None = None
    """Path of the PEM certificate to trust if the server speaks TLS."""
    ledger_owner: str | None = None
    """Path of the file that says which server has the ledger (``owner_file``): another one of the
    same user may, and its file of this kind lies beside this one."""
