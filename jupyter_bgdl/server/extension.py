"""The server extension: starts the service with the server and stops it with it."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

from jupyter_core.paths import jupyter_data_dir, jupyter_runtime_dir
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from tornado.ioloop import PeriodicCallback
from traitlets import Any as AnyTrait
from traitlets import (
    Bunch,
    Enum,
    Float,
    Integer,
    List,
    TraitError,
    Unicode,
    default,
    observe,
    validate,
)

from jupyter_bgdl import owner_file
from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.network_policy import Gate
from jupyter_bgdl.engine.protocol import Limits, NetworkMode, NetworkPolicy
from jupyter_bgdl.model import Credentials
from jupyter_bgdl.server.alive import Kernels
from jupyter_bgdl.server.bandwidth import FORM, bandwidth
from jupyter_bgdl.server.context import Context
from jupyter_bgdl.server.credentials import CredentialsFile, local_url
from jupyter_bgdl.server.keep_alive import KeepAlive, Mode, stops_when_idle
from jupyter_bgdl.server.launcher import Launcher, LaunchSettings
from jupyter_bgdl.server.lifecycle import Lifecycle
from jupyter_bgdl.server.notebooks import Notebooks
from jupyter_bgdl.server.redaction import describe
from jupyter_bgdl.server.renames import follow_renames
from jupyter_bgdl.server.right import may_execute
from jupyter_bgdl.server.routes import handlers
from jupyter_bgdl.service.conditions import span
from jupyter_bgdl.service.policy import Settings
from jupyter_bgdl.service.service import Service

_CLOSE: Final = 8.0
"""Seconds that the service gets to checkpoint and stop when the server stops."""
_ACTIVITY: Final = 10_000
"""Milliseconds between two looks at whether transfers keep the server."""


class BackgroundTransfers(ExtensionApp):
    """Background transfer sessions: REST below ``/bgdl``, and the service behind it."""

    name = "jupyter_bgdl"
    description = "Background transfers that outlive the kernel"
    load_other_extensions = True

    state_dir = Unicode(
        help="""Folder of the ledger: which transfers there are, and what became of them.
        One server at a time uses it; put it on a disk of the host that the server runs on if
        several hosts share a home.""",
    ).tag(config=True)
    max_active_tasks = Integer(
        Settings().max_active_tasks,
        min=1,
        help="How many transfers move at the same time, over all sessions.",
    ).tag(config=True)

    connections_per_host = Integer(
        Limits().connections_per_host,
        min=1,
        help="""How many connections to one host may be open, over all sessions. A session's own
        maximum_connections_per_host holds as well.""",
    ).tag(config=True)
    bandwidth_limit = AnyTrait(
        None,
        help=f"""What all transfers together may move: {FORM}. It can be changed while transfers
        run.""",
    ).tag(config=True)

    max_sessions = Integer(
        Settings().max_sessions, min=1, help="How many sessions there may be."
    ).tag(config=True)
    max_tasks = Integer(
        Settings().max_tasks,
        min=1,
        help="How many tasks there may be, those included that are completed and not forgotten.",
    ).tag(config=True)
    max_tasks_per_session = Integer(
        Settings().max_tasks_per_session, min=1, help="The same, of one session."
    ).tag(config=True)
    max_events_per_session = Integer(
        Settings().max_events_per_session,
        min=1,
        help="A session takes no new tasks while so many of its events were not heard.",
    ).tag(config=True)
    max_bytes = Integer(
        None,
        allow_none=True,
        min=0,
        help="""Bytes that unfinished and staged downloads may hold, with what they are to bring;
        None: as the disk allows. One for which that is too little fails, and can be retried.""",
    ).tag(config=True)
    max_bytes_per_session = Integer(
        None, allow_none=True, min=0, help="The same, of one session."
    ).tag(config=True)
    max_body_size = Integer(
        Context().max_body_size,
        min=1,
        help="Bytes of the body of a request; ServerApp.max_body_size holds before that.",
    ).tag(config=True)

    allowed_directories = List(
        Unicode(),
        help="""Folders in which transfers may write, with all below them; none: wherever the user
        can. Requests from a browser may write in the contents root only, whatever this says.""",
    ).tag(config=True)

    network_policy = Enum(
        get_args(NetworkMode),
        "owner",
        help="""Where transfers may connect to: "owner" (wherever the server's user can),
        "public_only" (addresses that the Internet has) or "allowlist" (network_allowlist). Cloud
        metadata and link-local addresses are refused under each of them.""",
    ).tag(config=True)
    network_allowlist = List(
        Unicode(),
        help="""For network_policy = "allowlist": host names, "*.example.org" for those below one,
        addresses and networks ("10.1.0.0/16").""",
    ).tag(config=True)

    discretionary_load = Float(
        Settings().discretionary_load,
        min=0,
        help="Discretionary sessions begin nothing while each core has more to do than this (the "
        "load of the last minute).",
    ).tag(config=True)
    discretionary_hours = Unicode(
        None,
        allow_none=True,
        help="Hours in which discretionary sessions run, in the server's local time: "
        '"22:00-06:00"; None: at any.',
    ).tag(config=True)

    keep_alive = Enum(
        [mode.value for mode in Mode],
        Mode.MOVING.value,
        help="""What keeps this server from being stopped for inactivity, by itself or by a hub:
        transfers that are "moving", those that are "pending", too (waiting for their date, a
        retry, the network), or "never" any. An open page alone does not.""",
    ).tag(config=True)
    keep_alive_hours = Float(
        168.0,
        min=0,
        help="For how many hours at one go transfers keep this server.",
    ).tag(config=True)

    keep_finished = Float(
        Settings().keep_finished / 86400.0,
        min=0,
        help="""Days after which completed tasks, and events that nobody claimed, are forgotten.
        Finished files stay.""",
    ).tag(config=True)

    launch_grace = Float(
        LaunchSettings().grace,
        min=0,
        help="""Seconds between the moment that a launch cell could be run and its running: time
        for a person who has just restarted the kernel to run the cell.""",
    ).tag(config=True)
    launch_pause = Float(
        LaunchSettings().pause,
        min=0,
        help="""Seconds after a launch that delivered nothing before the next one of that session;
        doubled with each, up to a day.""",
    ).tag(config=True)
    launch_time_limit = Float(
        LaunchSettings().limit,
        min=1,
        help="""Seconds after which a kernel that was started to run a launch cell is shut down,
        whatever it does, unless its notebook was opened.""",
    ).tag(config=True)

    @validate("discretionary_hours")
    def _check_hours(self, proposal: Bunch) -> str | None:
        try:
            if proposal["value"] is not None:
                span(proposal["value"])
        except ValueError as error:
            raise TraitError(f"BackgroundTransfers.discretionary_hours: {error}") from error
        hours: str | None = proposal["value"]
        return hours

    @validate("network_allowlist")
    def _check_allowlist(self, proposal: Bunch) -> list[str]:
        try:
            Gate(NetworkPolicy("allowlist", tuple(proposal["value"])))
        except ValueError as error:
            raise TraitError(f"BackgroundTransfers.network_allowlist: {error}") from error
        entries: list[str] = proposal["value"]
        return entries

    @validate("bandwidth_limit")
    def _check_bandwidth(self, proposal: Bunch) -> int | None:
        try:
            return bandwidth(proposal["value"])
        except ValueError as error:
            raise TraitError(f"BackgroundTransfers.bandwidth_limit: {error}") from error

    @observe("bandwidth_limit", "connections_per_host")
    def _limits_changed(self, change: Bunch) -> None:
        if self._engine is not None:
            self._engine.configure(self._limits())

    def _limits(self) -> Limits:
        return Limits(
            transfers=self.max_active_tasks,
            connections_per_host=self.connections_per_host,
            bandwidth=self.bandwidth_limit,
            policy=NetworkPolicy(self.network_policy, tuple(self.network_allowlist)),
        )

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "bgdl")

    _context: Context
    _engine: LocalEngine | None = None
    _service: Service | None = None
    _launcher: Launcher | None = None
    _lifecycle: Lifecycle | None = None
    _keep_alive: KeepAlive | None = None
    _credentials: CredentialsFile | None = None
    _activity: PeriodicCallback | None = None

    def initialize_settings(self) -> None:
        # What the service and the engine log goes where the server's own lines go, as
        # jupyter_server does it for tornado.
        logger = logging.getLogger("jupyter_bgdl")
        logger.parent = self.log
        logger.setLevel(self.log.level)

    def initialize_handlers(self) -> None:
        self._context = Context()
        self._context.max_body_size = self.max_body_size
        self.handlers.extend(handlers(self._context))

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Start the service, and let kernels in. Only now the server's port is known."""
        tls = bool(serverapp.certfile)
        url = local_url(serverapp.ip, serverapp.port, serverapp.base_url, tls=tls)
        self._engine = LocalEngine(self._limits())
        self._service = Service(
            _absolute(self.state_dir),
            self._engine,
            alive=Kernels(serverapp.kernel_manager).alive,
            settings=Settings(
                keep_finished=self.keep_finished * 86400.0,
                max_active_tasks=self.max_active_tasks,
                discretionary_load=self.discretionary_load,
                discretionary_hours=self.discretionary_hours,
                max_sessions=self.max_sessions,
                max_tasks=self.max_tasks,
                max_tasks_per_session=self.max_tasks_per_session,
                max_events_per_session=self.max_events_per_session,
                max_bytes=self.max_bytes,
                max_bytes_per_session=self.max_bytes_per_session,
                allowed_directories=tuple(str(_absolute(one)) for one in self.allowed_directories),
                contents_root=_contents_root(serverapp),
                allow_hidden=serverapp.contents_manager.allow_hidden,
            ),
            url=url,
        )
        self._context.sockets.start(asyncio.get_running_loop())
        self._service.subscribe(self._context.sockets.changed)
        self._service.start()
        atexit.register(self._close_at_exit)
        self._context.service = self._service
        self._lifecycle = Lifecycle(self._service, serverapp.event_logger)
        self._lifecycle.start()
        self._start_launcher(serverapp, self._service, self._lifecycle)
        mode = Mode(self.keep_alive)
        self._keep_alive = KeepAlive(self._service, mode, self.keep_alive_hours * 3600)
        self._context.stops_when_idle = stops_when_idle(
            mode, serverapp.shutdown_no_activity_timeout
        )
        self._activity = PeriodicCallback(self._note_activity, _ACTIVITY)
        self._activity.start()
        self._credentials = CredentialsFile(Path(jupyter_runtime_dir()))
        credentials = Credentials(
            # Without a port there is nothing that a kernel could be told.
            url="" if serverapp.sock else url,
            token=self._context.secret,
            pid=self._credentials.pid,
            certificate=str(_absolute(serverapp.certfile)) if tls else None,
            ledger_owner=str(owner_file.path_in(_absolute(self.state_dir))),
        )
        await asyncio.to_thread(self._credentials.write, credentials)

    def _start_launcher(self, serverapp: ServerApp, service: Service, lifecycle: Lifecycle) -> None:
        self._launcher = self._context.launcher = Launcher(
            service,
            Notebooks(serverapp),
            LaunchSettings(
                grace=self.launch_grace, pause=self.launch_pause, limit=self.launch_time_limit
            ),
            lambda: may_execute(serverapp.web_app, self._context),
            lifecycle,
        )
        follow_renames(serverapp.event_logger, service.launches.renamed)
        self._launcher.start()

    async def _note_activity(self) -> None:
        # A hub culls a server by this time, and would stop the transfers with it.
        if self._keep_alive is not None and await self._keep_alive.look():
            assert self.serverapp is not None
            times = self.serverapp.web_app.settings["last_activity_times"]
            times[self.name] = datetime.now(UTC)

    def current_activity(self) -> dict[str, int] | None:
        """Truthy while transfers keep the server, as ``keep_alive`` says: one that shuts down
        when it is idle then stays."""
        count = self._keep_alive.count if self._keep_alive is not None else 0
        return {"transfers": count} if count else None

    def _close_at_exit(self) -> None:
        # An interrupt, where no terminal is, ends jupyter_server without stopping its extensions;
        # that is how a hub stops its users' servers.
        if self._service is not None:
            self._context.sockets.stop()
            self._service.close(_CLOSE)
            if self._credentials is not None:
                self._credentials.remove()

    async def stop_extension(self) -> None:
        """Checkpoint and stop, within ``_CLOSE`` and a second; whatever fails is logged."""
        service, self._service = self._service, None
        if service is None:
            return
        atexit.unregister(self._close_at_exit)
        if self._activity is not None:
            self._activity.stop()
        moving = service.moving
        self._context.service = self._context.launcher = None
        self._context.sockets.stop()
        try:
            if self._launcher is not None:
                await self._launcher.stop()
            if self._lifecycle is not None:
                await self._lifecycle.stop()
            if self._credentials is not None:
                await asyncio.to_thread(self._credentials.remove)
            await _bounded(service)
        except Exception as error:  # noqa: BLE001 - jupyter_server would not stop the others
            self.log.error("Background transfers did not stop cleanly\n%s", describe(error))
        if moving:
            self.log.info(
                "Background transfers: %d paused; they go on when the server is started again.",
                moving,
            )


def _contents_root(serverapp: ServerApp) -> str | None:
    """Where the file browser's files are; None: not on this disk."""
    root = getattr(serverapp.contents_manager, "root_dir", "")
    return str(_absolute(root)) if root else None


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


async def _bounded(service: Service) -> None:
    """Close the service in a thread that nothing waits for longer than ``_CLOSE`` + 1 s; one of
    the default executor would be joined when the loop closes."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def close() -> None:
        error: BaseException | None = None
        try:
            service.close(_CLOSE)
        except Exception as raised:  # noqa: BLE001 - it is raised again by the waiter
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=close, name="bgdl-close", daemon=True).start()
    await asyncio.wait_for(done, _CLOSE + 1)
