"""A session as an ipywidget, for composing: ``VBox([session.widget(), plot])``.

The view is the same component as the output view, and like it talks to the server. Where the
front end does not load our extension (VS Code, a bare ipywidgets page), ask for
``session.widget(core=True)``: progress bars of ipywidgets itself, kept up to date by the kernel.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ipywidgets
from traitlets import Int, Unicode

from jupyter_bgdl.kernel import display
from jupyter_bgdl.model import Phase, TaskView

if TYPE_CHECKING:
    from jupyter_bgdl.kernel.session import Session

_MODULE = "jupyter-bgdl"
_VERSION = "^0.1.0"
_MOST_ROWS = 10


class SessionWidget(ipywidgets.DOMWidget):  # type: ignore[misc]
    """Live view of a session (``task=None``) or of one of its tasks."""

    _model_module = Unicode(_MODULE).tag(sync=True)
    _model_module_version = Unicode(_VERSION).tag(sync=True)
    _model_name = Unicode("SessionModel").tag(sync=True)
    _view_module = Unicode(_MODULE).tag(sync=True)
    _view_module_version = Unicode(_VERSION).tag(sync=True)
    _view_name = Unicode("SessionView").tag(sync=True)

    session = Unicode().tag(sync=True)
    task = Int(None, allow_none=True).tag(sync=True)


class CoreWidget(ipywidgets.VBox):  # type: ignore[misc]
    """The same in ipywidgets of the core: a title, and a bar per active task."""

    def __init__(self, session: Session, **kwargs: Any) -> None:
        self._session = session
        self._title = ipywidgets.Label()
        self._rows: dict[int, ipywidgets.FloatProgress] = {}
        super().__init__(children=[self._title], **kwargs)
        self.refresh()
        session.on_change(self.refresh)

    def refresh(self) -> None:
        """Show the newest state; called on the main thread when it changed."""
        now = time.time()
        self._title.value = display.session_line(self._session.view, now)
        views = [task.view for task in self._session.known_tasks()]
        active = [view for view in views if view.phase != Phase.COMPLETED][:_MOST_ROWS]
        self._rows = {view.task_identifier: self._row(view, now) for view in active}
        self.children = (self._title, *self._rows.values())

    def _row(self, view: TaskView, now: float) -> ipywidgets.FloatProgress:
        row = self._rows.get(view.task_identifier) or ipywidgets.FloatProgress(
            layout={"width": "100%"}, style={"description_width": "60%"}
        )
        row.max = float(view.total or 1)
        row.value = float(view.received if view.total else 0)
        row.description = display.task_line(view, now)
        return row


_widgets: dict[tuple[Session, bool], SessionWidget | CoreWidget] = {}


def widget_of(session: Session, *, core: bool) -> SessionWidget | CoreWidget:
    """The widget of a session: one of a kind per session and kernel.

    Two widgets with one model would close each other.
    """
    widget = _widgets.get((session, core))
    if widget is None or widget.comm is None:
        widget = CoreWidget(session) if core else SessionWidget(session=session.identifier)
        _widgets[session, core] = widget
    return widget
