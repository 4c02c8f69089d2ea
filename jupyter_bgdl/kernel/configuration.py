"""How a session behaves: mirrors ``URLSessionConfiguration``."""

from __future__ import annotations

from itertools import count
from typing import Any, Self

import msgspec

from jupyter_bgdl.errors import InvalidRequest
from jupyter_bgdl.model import IDENTIFIER, SessionOptions, is_identifier

_DEFAULTS = SessionOptions()
_numbers = count(1)
_NAMES = tuple(field.name for field in msgspec.structs.fields(SessionOptions))


class SessionConfiguration:
    """The options of a session; made by :meth:`background` or :meth:`default`.

    Attributes (see :class:`~jupyter_bgdl.model.SessionOptions` for units): ``timeout_for_request``,
    ``timeout_for_resource``, ``maximum_connections_per_host``, ``additional_headers``,
    ``staging_directory``, ``proxy``, ``ca_bundle``, ``discretionary`` (wait for good conditions),
    ``sends_launch_events`` (run the launch cell when nobody hears the events). What is set wins
    over what the session had; what is not set stays as it was. Copied when the session is made;
    later changes don't count.
    """

    identifier: str
    timeout_for_request: float
    timeout_for_resource: float
    maximum_connections_per_host: int
    additional_headers: dict[str, str]
    staging_directory: str | None
    proxy: str | None
    ca_bundle: str | None
    discretionary: bool
    sends_launch_events: bool

    def __init__(self, identifier: str, **options: Any) -> None:
        if not isinstance(identifier, str):
            raise InvalidRequest(f"An identifier is a string, not {type(identifier).__name__}.")
        if not is_identifier(identifier):
            raise InvalidRequest(IDENTIFIER)
        object.__setattr__(self, "identifier", identifier)
        object.__setattr__(self, "_explicit", {})
        for name, value in options.items():
            setattr(self, name, value)

    @classmethod
    def background(cls, identifier: str) -> SessionConfiguration:
        """``URLSessionConfiguration.background(withIdentifier:)``.

        ``identifier`` is a fixed string, unique per Jupyter user: it is what finds the session
        again. Raises InvalidRequest.
        """
        return cls(identifier)

    @classmethod
    def default(cls) -> SessionConfiguration:
        """``URLSessionConfiguration.default``: for a session in this very process, without a
        Jupyter server. Its delegate hears the same; its transfers end with the process, so its
        identifier is a new one each time.
        """
        return cls.of(f"in-process-{next(_numbers)}", {}, in_process=True)

    @classmethod
    def of(cls, identifier: str, options: dict[str, Any], *, in_process: bool) -> Self:
        """The configuration that a session has."""
        made = cls(identifier, **options)
        object.__setattr__(made, "is_in_process", in_process)
        return made

    @property
    def explicit(self) -> dict[str, Any]:
        """A copy of what was set."""
        return dict(self._explicit)

    _explicit: dict[str, Any]
    is_in_process = False
    """Whether it was made by :meth:`default`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _NAMES:
            raise TypeError(f"There is no option {name!r}. There are: {', '.join(_NAMES)}.")
        try:
            msgspec.convert({name: value}, SessionOptions)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"{name}: {error}") from error
        self._explicit[name] = value

    def __getattr__(self, name: str) -> Any:
        if name in _NAMES:
            return self._explicit.get(name, getattr(_DEFAULTS, name))
        raise AttributeError(name)

    def __repr__(self) -> str:
        # Headers and a proxy's address may hold secrets.
        shown = [
            f"{name}={'…' if name in ('additional_headers', 'proxy') else repr(value)}"
            for name, value in self._explicit.items()
        ]
        return f"<SessionConfiguration {', '.join([repr(self.identifier), *shown])}>"
