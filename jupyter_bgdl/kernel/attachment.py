"""What ties a session object to the server: ownership, the newest state, its events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

from jupyter_bgdl import errors
from jupyter_bgdl.asks import EnvironmentRequest
from jupyter_bgdl.environment import names_in
from jupyter_bgdl.kernel import launching
from jupyter_bgdl.kernel.asking import answer_of, known_variables, variables
from jupyter_bgdl.kernel.calls import Calls, link, path_of
from jupyter_bgdl.kernel.configuration import SessionConfiguration
from jupyter_bgdl.kernel.connection import IN_PROCESS
from jupyter_bgdl.kernel.dates import Dates
from jupyter_bgdl.kernel.delivery import Delivery, Soon
from jupyter_bgdl.kernel.downloads import DownloadTask
from jupyter_bgdl.kernel.handlers import Call, Handlers
from jupyter_bgdl.kernel.identity import identity
from jupyter_bgdl.kernel.known_sessions import known_sessions
from jupyter_bgdl.kernel.notes import Notes
from jupyter_bgdl.kernel.output import Place
from jupyter_bgdl.kernel.pump import get_pump
from jupyter_bgdl.kernel.task import Task
from jupyter_bgdl.kernel.uploads import UploadTask
from jupyter_bgdl.messages import ClientMessage
from jupyter_bgdl.model import (
    PROTOCOL,
    AttachReply,
    AttachRequest,
    DetachRequest,
    Event,
    SessionView,
    TaskKind,
    TaskState,
    TaskView,
)
from jupyter_bgdl.receipts import Receipts

_PATHS = ("staging_directory", "ca_bundle")

AnyTask = DownloadTask | UploadTask


class Attachment(Calls):
    """Base of a session. The server's answers and the channel keep it up to date."""

    def __new__(
        cls, configuration: SessionConfiguration, *args: Any, server_url: Any = None, **kwargs: Any
    ) -> Self:
        where = IN_PROCESS if configuration.is_in_process else server_url
        known = known_sessions.get((where, configuration.identifier))
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
            self._key = (server_url, configuration.identifier)
            known_sessions.wait_until_free(self._key)
            self.is_invalid = False
            self._connection, self._channel = link(server_url, token)
            self.identifier = configuration.identifier
            self._path = path_of(self.identifier)
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
        if known_sessions.add(self._key, self):
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
        self.is_invalid = True
        known_sessions.ended(self._key, self)
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
        known_sessions.forgotten(self._key)

    def _leave(self) -> None:
        if self._delivery is not None:
            self._delivery.end()
            self._delivery = None
        if known_sessions.discard(self._key, self):
            self._channel.remove(self.identifier)

    def _require_ownership(self) -> None:
        self.require_validity()
        if known_sessions.get(self._key) is not self:
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

    def begin_delivery(self) -> None:
        """Somebody is there who takes events, or was registered again."""
        if self._delivery is not None:
            self._delivery.begin()

    # What the server says, in the background thread

    async def attach_again(self) -> None:
        """The connection was lost: the server may have another opinion now."""
        try:
            await self._connection.fetch("GET", self._path, answer=SessionView)
        except errors.TaskNotFound:
            # To attach would make it anew.
            self.session_removed()
            return
        if self.is_invalid:
            # Its last event comes again, and is acknowledged again.
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

    def _take(self, view: SessionView) -> None:
        if view.revision >= self._view.revision:
            self._view = view
