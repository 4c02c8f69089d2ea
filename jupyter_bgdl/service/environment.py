"""What kernels gave of their environments, for headers that say ``env:NAME``. In memory only.

The ledger has the names, so that the next kernel that attaches is asked for them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from jupyter_bgdl.environment import MARK, filled, names_in
from jupyter_bgdl.model import SessionOptions, TaskSpec
from jupyter_bgdl.service.headers import check_headers
from jupyter_bgdl.service.ledger import Ledger
from jupyter_bgdl.service.views import Row


class Environment:
    """Lives in the service thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._values: dict[int, dict[str, str]] = {}

    def names(self, session: Row) -> list[str]:
        """Those that the session's headers ever referred to."""
        return msgspec.json.decode(session["environment"], type=list[str])

    def want(self, session: Row, names: set[str]) -> Row:
        """Inside a transaction: a kernel that attaches is asked for these from now on."""
        known = set(self.names(session))
        if names <= known:
            return session
        listed = msgspec.json.encode(sorted(known | names)).decode()
        return self._ledger.set("sessions", session["id"], environment=listed)

    def give(self, session: int, values: Mapping[str, str]) -> set[str]:
        """Returns the names whose values are new. Raises :class:`InvalidRequest` for a value that
        no header can have; its message has the name only."""
        check_headers(values)
        held = self._values.setdefault(session, {})
        new = {name for name, value in values.items() if held.get(name) != value}
        held.update(values)
        return new

    def headers(self, session: int, headers: Mapping[str, str]) -> dict[str, str]:
        """As they are sent."""
        return filled(headers, self._values.get(session, {}))

    def missing(self, row: Row, options: SessionOptions) -> list[str]:
        """The variables that a task's next attempt would lack."""
        if not options.additional_headers and MARK.encode() not in row["spec"]:
            return []  # As good as always, and much cheaper.
        held = self._values.get(row["session"], {})
        return sorted(self.named(row, options) - held.keys())

    def named(self, row: Row, options: SessionOptions) -> set[str]:
        """The variables that a task's headers refer to."""
        spec = msgspec.json.decode(row["spec"], type=TaskSpec)
        return names_in(headers_of(spec, options))


def headers_of(spec: TaskSpec, options: SessionOptions) -> dict[str, str]:
    """The session's, and the request's own, which win; as they are written."""
    own = {name.lower() for name in spec.request.headers}
    shared = {k: v for k, v in options.additional_headers.items() if k.lower() not in own}
    return {**shared, **spec.request.headers}
