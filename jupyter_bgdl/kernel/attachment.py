"""What ties a session object to the server: ownership, the newest state, its events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from jupyter_bgdl import errors
from jupyter_bgdl.asks import EnvironmentRequest
from jupyter_bgdl.environment import names_in
from jupyter_bgdl.explanation import Explanation
from jupyter_bgdl.kernel import launching
from jupyter_bgdl.kernel.asking import answer_of, known_variables, variables
from jupyter_bgdl.kernel.channel import Channel
from jupyter_bgdl.kernel.configuration import SessionConfiguration
from jupyter_bgdl.kernel.connection import IN_PROCESS, Connection
from jupyter_bgdl.kernel.dates import Dates
from jupyter_bgdl.kernel.delivery import Delivery, Soon
from jupyter_bgdl.kernel.downloads import DownloadTask
from jupyter_bgdl.kernel.handlers import Call, Handlers
from jupyter_bgdl.kernel.identity import identity
from jupyter_bgdl.kernel.notes import Notes
from jupyter_bgdl.kernel.output import Place
from jupyter_bgdl.kernel.pump import get_pump
from jupyter_bgdl.kernel.task import Task
from jupyter_bgdl.kernel.uploads import UploadTask
from jupyter_bgdl.launches import LaunchCheck, LaunchRequest
from jupyter_bgdl.messages import ClientMessage
from jupyter_bgdl.model import (
    PROTOCOL,
    AttachReply,
    AttachRequest,
    DetachRequest,
    Event,
    SessionView,
    TaskKind,
    TaskMetrics,
    TaskState,
    TaskView,
)
from jupyter_bgdl.receipts import Receipts

_PATHS = ("staging_directory", "ca_bundle")

AnyTask = DownloadTask | UploadTask

_attached: dict[tuple[str | None, str], Attachment] = {}
"""The session objects of this process, by server and identifier."""
_ending: dict[tuple[str | None, str], threading.Event] = {}
"""Sessions that became invalid: set when the server has forgotten them, so their name is free."""
_FREE = 30.0
"""Seconds to wait for that: a server that is started again has to come back first."""


def attached(identifier: str) -> Attachment | None:
    """The session of that name in this kernel, under the server that started the kernel."""
    return _attached.get((None, identifier))


def register_launch(
    identifier: str, request: LaunchRequest, *, checks: bool = False
) -> LaunchCheck | None:
    """Set the launch cell of a session that need not be attached, or only check it. Raises what
    the server says."""
    connection, _ = _link(None, None)
    if connection.is_in_process:
        if checks:
            raise errors.LaunchError("Without a Jupyter server nothing can be launched.")
        return None
    path = f"bgdl/sessions/{quote(identifier, safe='')}/launch"
    if checks:
        return connection.call("POST", path + "/check", request, answer=LaunchCheck)
    connection.call("POST", path, request)
    return None


@cache
def _link(server_url: str | None, token: str | None) -> tuple[Connection, Channel]:
    connection = Connection(server_url, token)
    connection.check()
    return connection, Channel(connection)


class Attachment:
    """Base of a session. The server's answers and the channel keep it up to date."""

    def __new__(
        cls, configuration: SessionConfiguration, *args: Any, server_url: Any = None, **kwargs: Any
    ) -> Self:
        where = IN_PROCESS if configuration.is_in_process else server_url
        known = _attached.get((where, configuration.identifier))
        return known if isinstance(known, cls) else super().__new__(cls)

    def __init__(
        self,
        configuration: SessionConfiguration,
        *,
        take_over: bool,
        server_url: str | None,
        token: str | None,
    ) -> None:
        if configuration.is_in_process:
            server_url = IN_PROCESS
        if not hasattr(self, "identifier"):
            if ending := _ending.get((server_url, configuration.identifier)):
                ending.wait(_FREE)
            self.is_invalid = False
            """Whether its end was told; nothing can be done with it any more."""
            self._connection, self._channel = _link(server_url, token)
            self._key = (server_url, configuration.identifier)
            self.identifier = configuration.identifier
            self._path = f"bgdl/sessions/{quote(self.identifier, safe='')}"
            self.note = Notes(self._connection, self._path)
            self.pump = get_pump()
            self.handlers = Handlers(self)  # type: ignore[arg-type]
            self._tasks: dict[int, AnyTask] = {}
            self._with_callbacks: set[Task[Any]] = set()
            self._progress = Soon(self.pump.post)
            self._delivery: Delivery | None = None
            self._changes = Soon(self.pump.post)
            self._on_change: Callable[[], None] | None = None
        self._attach(configuration, take_over)

    def _attach(self, configuration: SessionConfiguration, take_over: bool) -> None:
        explicit = configuration.explicit
        for name in _PATHS:
            if explicit.get(name):
                explicit[name] = str(Path(explicit[name]).expanduser().absolute())
        variables(names_in(explicit.get("additional_headers") or {}))
        request = AttachRequest(
            protocol=PROTOCOL,
            kernel=identity(),
            configuration=explicit,
            take_over=take_over,
            rehearses=launching.is_rehearsing(),
        )
        reply = self.call("POST", "/attach", request, answer=AttachReply)
        self._view: SessionView = reply.session
        self.options: dict[str, Any] = reply.options
        self._dates = Dates(self.identifier, reply.stops_when_idle)
        for change in reply.changed:
            print(f"{self.identifier}: {change.name} is now {change.new} (was {change.old}).")
        self._own(reply)
        if reply.is_owner and (values := known_variables(reply.environment)):
            self.give_environment(values)
        for view in reply.tasks:
            self.task_from(view)
        if _attached.get(self._key) is not self:
            _attached[self._key] = self
            self._channel.add(self)

    def _own(self, reply: AttachReply) -> None:
        """Take the outcome of an attach: owner under which epoch, or not."""
        delivery = self._delivery
        if not reply.is_owner:
            self._delivery = None
        elif delivery is None or delivery.epoch != reply.epoch:
            self._delivery = Delivery(
                self,  # type: ignore[arg-type]
                reply.epoch,
                Receipts(reply.receipts),
            )
            if self.handlers.any:
                self._delivery.begin()
        else:
            return
        if delivery is not None:
            delivery.end()

    @property
    def is_in_process(self) -> bool:
        """Whether its transfers end with this process, since no server has them."""
        return self._connection.is_in_process

    @property
    def view(self) -> SessionView:
        """All that the server tells of it."""
        return self._view

    @property
    def is_owner(self) -> bool:
        """Whether this kernel hears the session's events. Others may submit and look."""
        return self._delivery is not None and not self.is_invalid

    @property
    def configuration(self) -> SessionConfiguration:
        """What is in force, write-only values left out. A copy."""
        options = {k: v for k, v in self.options.items() if v is not None}
        in_process = self._key[0] == IN_PROCESS
        return SessionConfiguration.of(self.identifier, options, in_process=in_process)

    def detach(self) -> None:
        """Give ownership up: the events wait for whoever attaches next."""
        if self._delivery is not None:
            epoch = self._delivery.epoch
            self._leave()
            self.call("POST", "/detach", DetachRequest(epoch))
        else:
            self._leave()

    def became_invalid(self) -> None:
        """Its last event was dealt with. It goes on to listen until the server has forgotten it,
        since the acknowledgement may be lost with the connection."""
        _ending[self._key] = threading.Event()
        self.is_invalid = True
        if _attached.get(self._key) is self:
            del _attached[self._key]
        self.look_again()

    def session_removed(self) -> None:
        """In the background thread: the server has forgotten it."""
        if not self.is_invalid:
            # Nobody here ended it: it was purged. Made again, it is a new one.
            self.is_invalid = True
            for task in self.known_tasks():
                task.forgotten()
            self._leave()
            if call := self.handlers.invalid_call():
                self.pump.post(partial(self.protect, *call))
            self.look_again()
        self._channel.remove(self.identifier)
        if self._delivery is not None:
            self._delivery.end()
            self._delivery = None
        if ending := _ending.pop(self._key, None):
            ending.set()

    def require_validity(self) -> None:
        """Raises SessionInvalidated, which says what to do."""
        if self.is_invalid:
            raise errors.SessionInvalidated(
                f"Session {self.identifier!r} was invalidated: this object is of no more use. Its "
                f"name is free: background_session({self.identifier!r}) makes it anew."
            )

    def _leave(self) -> None:
        if self._delivery is not None:
            self._delivery.end()
            self._delivery = None
        if _attached.get(self._key) is self:
            del _attached[self._key]
            self._channel.remove(self.identifier)

    def _require_ownership(self) -> None:
        self.require_validity()
        if _attached.get(self._key) is not self:
            raise errors.SessionInvalidated(
                f"This object of session {self.identifier!r} hears nothing any more: it was "
                "detached, or another kernel took the session over. Make it again."
            )
        if self._delivery is None and not launching.is_rehearsing():
            owner = self._view.owner
            raise errors.SessionOwnedElsewhere(
                f"Session {self.identifier!r} belongs to {owner.name if owner else 'nobody'}, so "
                "its events go there. Pass take_over=True to take it."
            )

    @property
    def takes_events(self) -> bool:
        """Whether events come here, and somebody is there for them."""
        return self._delivery is not None and self._delivery.begun

    def tell_launch_completed(self) -> None:
        """The completion handler was called. Returns at once."""
        path = f"{self._path}/launch/completed"
        self._connection.spawn(self._connection.fetch("POST", path))

    def register_launch(self, request: LaunchRequest) -> None:
        """Raises what the server says. Without a server there is nobody to launch anything."""
        if not self.is_in_process:
            self.call("POST", "/launch", request)

    def begin_delivery(self) -> None:
        """Somebody is there who takes events, or was registered again."""
        if self._delivery is not None:
            self._delivery.begin()

    # What the server says, in the background thread

    async def attach_again(self) -> None:
        """The connection was lost: the server may have another opinion now."""
        if self.is_invalid:
            try:
                await self._connection.fetch("GET", self._path, answer=SessionView)
            except errors.TaskNotFound:
                self.session_removed()
            # Its last event comes again, and is acknowledged again. To attach would make the
            # session anew, if a receipt has ended it by then.
            return
        request = AttachRequest(
            protocol=PROTOCOL, kernel=identity(), rehearses=launching.is_rehearsing()
        )
        path = f"{self._path}/attach"
        reply = await self._connection.fetch("POST", path, request, answer=AttachReply)
        self._view = reply.session
        self._own(reply)
        if reply.is_owner and (values := known_variables(reply.environment)):
            path = f"{self._path}/environment"
            await self._connection.fetch("POST", path, EnvironmentRequest(values))

    def give_environment(self, values: dict[str, str]) -> None:
        """Variables that headers refer to; raises what the server says."""
        self.call("POST", "/environment", EnvironmentRequest(values))

    def answer(self, event: Event, given: object) -> None:
        """What the delegate returned when it was asked. Raises what the server says."""
        assert event.task is not None
        if answer := answer_of(event, given):
            number = event.task.task_identifier
            self.task_from(self.call_task("POST", number, "/answer", answer))

    def opening(self) -> list[ClientMessage]:
        """What to say when the channel opens."""
        return self._delivery.opening() if self._delivery is not None else []

    def state_came(self, session: SessionView | None, tasks: list[TaskView]) -> None:
        """Newest views of what changed."""
        if session is not None:
            self._take(session)
        wants_progress = self.handlers.wants_progress and self.is_owner
        for view in tasks:
            known = self._tasks.get(view.task_identifier)
            before = known.view if known is not None else view
            received = before.received if known is not None else 0
            task = self.task_from(view)
            for call in self.handlers.state_calls(task, before, view) if self.is_owner else ():
                self.pump.post(partial(self.protect, *call))
            if wants_progress and view.received != received and view.state == TaskState.RUNNING:
                self._progress.post(view.task_identifier, partial(self._tell_progress, task))
        self.look_again()
        if self._on_change is not None:
            self._changes.post(0, self._on_change)

    def watch_sent(self) -> None:
        """A snapshot was asked for."""
        if self._delivery is not None:
            self._delivery.watch_sent()

    def caught_up(self) -> None:
        """The snapshot that was asked for last was taken, or will not come."""
        if self._delivery is not None:
            self._delivery.caught_up()
        self.look_again()

    def event_came(self, event: Event) -> None:
        """From the journal."""
        if self._delivery is not None:
            self._delivery.event_came(event)

    def task_removed(self, number: int) -> None:
        """Somebody removed a completed task."""
        self._tasks.pop(number, None)

    def fenced(self, owner: str) -> None:
        """Another kernel took the session over."""
        self._leave()
        if call := self.handlers.invalid_call():
            self.pump.post(partial(self.protect, *call))
        self.note(f"{owner} took the session over.\n")
        self.look_again()

    def _tell_progress(self, task: AnyTask) -> Awaitable[None] | None:
        call = self.handlers.progress_call(task)
        return self.protect(*call) if call is not None else None

    def protect(self, place: Place, call: Call) -> Awaitable[None] | None:
        """Run what no event stands behind: what it raises is shown and logged."""
        try:
            rest = place.run(call, self.note)
        except BaseException as error:  # noqa: BLE001 - shown and logged
            place.show_traceback(error, self.note)
            return None
        return None if rest is None else self._protect_rest(place, rest)

    async def _protect_rest(self, place: Place, rest: Awaitable[None]) -> None:
        try:
            await rest
        except BaseException as error:  # noqa: BLE001 - shown and logged
            place.show_traceback(error, self.note)

    # What tasks and delivery need

    def task_from(self, view: TaskView) -> AnyTask:
        """The one object for that task in this kernel, brought up to date."""
        task = self._tasks.get(view.task_identifier)
        if task is None:
            kind = UploadTask if view.kind == TaskKind.UPLOAD else DownloadTask
            made = kind(self, view)  # type: ignore[arg-type]
            task = self._tasks.setdefault(view.task_identifier, made)
        task.update(view)
        return task

    def warn_of_date(self, task: AnyTask) -> None:
        """If the server may be gone when the date of that task, which was just resumed, comes."""
        self._dates.look(task.view)

    def task_of(self, event: Event) -> AnyTask | None:
        """The task that an event is about."""
        return self.task_from(event.task) if event.task is not None else None

    def known_tasks(self) -> list[AnyTask]:
        """Those that this kernel has met."""
        return list(self._tasks.values())

    def has_heard(self, view: TaskView) -> bool:
        """Whether the terminal event of that completed task was handled, or never comes here."""
        delivery = self._delivery
        if delivery is None or not delivery.begun or self.is_invalid:
            return True
        if delivery.has_completed(view.task_identifier, view.generation):
            return True
        return self._view.undelivered == 0 and not delivery.is_recalling

    def is_settled(self) -> bool:
        """Whether nothing runs or waits and, where this kernel hears events, all were handled."""
        if self.is_invalid:
            return True
        counts = self._view.counts
        if counts.running or counts.waiting:
            return False
        delivery = self._delivery
        if delivery is None or not delivery.begun:
            return True
        return self._view.undelivered == 0 and not delivery.is_recalling

    def before_waiting(self) -> None:
        """What is known may be older than what was just submitted."""
        if not self.is_invalid:
            self._take(self.call("GET", "", answer=SessionView))

    async def before_waiting_async(self) -> None:
        """As :meth:`before_waiting`."""
        if self.is_invalid:
            return
        future = self._connection.spawn(
            self._connection.fetch("GET", self._path, answer=SessionView)
        )
        self._take(await asyncio.wrap_future(future))

    def on_change(self, function: Callable[[], None]) -> None:
        """Call ``function`` on the main thread when something changed; one at a time."""
        self._on_change = function

    def watch_callbacks(self, task: Task[Any]) -> None:
        """That task has done callbacks."""
        self._with_callbacks.add(task)
        self.look_again()

    def look_again(self) -> None:
        """Something changed that somebody may wait for."""
        self.pump.notify()
        for task in list(self._with_callbacks):
            if task.is_settled():
                self._with_callbacks.discard(task)
                self.pump.post(task.run_callbacks)

    @property
    def is_connected(self) -> bool:
        """Whether the channel is open, so that what is said arrives."""
        return self._channel.is_open

    def say(self, message: ClientMessage) -> None:
        """On the channel; from any thread."""
        self._channel.send(message)

    def call_task(self, method: str, number: int, action: str, body: Any = None) -> TaskView:
        """One REST call on a task."""
        self.require_validity()
        path = f"{self._path}/tasks/{number}{action}"
        return self._connection.call(method, path, body, answer=TaskView)

    def content_of(self, number: int) -> bytes:
        """What the server answered to an upload. Raises what a REST call may raise."""
        self.require_validity()
        return self._connection.download(f"{self._path}/tasks/{number}/content")

    def explain_task(self, number: int) -> Explanation:
        """Raises what a REST call may raise."""
        told: Explanation = self.call("GET", f"/tasks/{number}/explain", answer=Explanation)
        return told

    def metrics_of(self, number: int) -> TaskMetrics:
        """What the server knows of a task's requests. Raises what a REST call may raise."""
        metrics: TaskMetrics = self.call("GET", f"/tasks/{number}/metrics", answer=TaskMetrics)
        return metrics

    def call(self, method: str, path: str, body: Any = None, *, answer: Any = None) -> Any:
        """One REST call below the session's path. Raises what the server says."""
        self.require_validity()
        return self._connection.call(method, self._path + path, body, answer=answer)

    def _take(self, view: SessionView) -> None:
        if view.revision >= self._view.revision:
            self._view = view
