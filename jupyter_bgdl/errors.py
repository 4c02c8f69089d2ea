"""Every exception of the project.

    BackgroundTransferError
    ├── ServerNotFound
    ├── ExtensionMissing
    ├── IncompatibleServer
    ├── ServerUnavailable
    ├── NotAuthorized                          (also a PermissionError)
    ├── OtherFilesystem
    ├── SessionOwnedElsewhere
    ├── SessionInvalidated
    ├── TaskNotFound                           (also a LookupError)
    ├── InvalidRequest                         (also a ValueError)
    ├── InvalidResumeData                      (also a ValueError)
    ├── DestinationExists                      (also a FileExistsError)
    ├── DestinationNotAllowed                  (also a PermissionError)
    ├── QuotaExceeded
    ├── LaunchError
    ├── StillRunning                           (also a TimeoutError)
    └── TransferError
        ├── HTTPStatusError
        ├── ChecksumMismatch
        ├── SourceChanged
        ├── UnexpectedContent
        ├── AddressNotAllowed              (also a PermissionError)
        ├── Cancelled
        └── TransferTimeout

Each class has a ``code``, which is its name on the wire. An exception's docstring is its message
where none is given.
"""

from __future__ import annotations

from typing import ClassVar


class BackgroundTransferError(Exception):
    """Something went wrong with a background transfer."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    """HTTP status with which the server answers."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class ServerNotFound(BackgroundTransferError):
    """No Jupyter server was found."""

    code = "server_not_found"


class ExtensionMissing(BackgroundTransferError):
    """The Jupyter server does not have the jupyter_bgdl extension."""

    code = "extension_missing"


class IncompatibleServer(BackgroundTransferError):
    """The Jupyter server has another version of jupyter_bgdl."""

    code = "incompatible_server"
    status = 409


class ServerUnavailable(BackgroundTransferError):
    """The Jupyter server cannot serve transfers at the moment."""

    code = "server_unavailable"
    status = 503


class NotAuthorized(BackgroundTransferError, PermissionError):
    """The Jupyter server does not allow this."""

    code = "not_authorized"
    status = 403


class OtherFilesystem(BackgroundTransferError):
    """This kernel and the Jupyter server do not see the same files."""

    code = "other_filesystem"
    status = 409


class SessionOwnedElsewhere(BackgroundTransferError):
    """Another kernel owns this session."""

    code = "session_owned_elsewhere"
    status = 409


class SessionInvalidated(BackgroundTransferError):
    """This session object is no longer valid."""

    code = "session_invalidated"
    status = 409


class TaskNotFound(BackgroundTransferError, LookupError):
    """There is no such task or session."""

    code = "not_found"
    status = 404


class InvalidRequest(BackgroundTransferError, ValueError):
    """The request is not valid."""

    code = "invalid_request"
    status = 400


class InvalidResumeData(BackgroundTransferError, ValueError):
    """The resume data is not valid, or what it stands for is gone."""

    code = "invalid_resume_data"
    status = 400


class DestinationExists(BackgroundTransferError, FileExistsError):
    """There is already a file at the destination."""

    code = "destination_exists"
    status = 409


class DestinationNotAllowed(BackgroundTransferError, PermissionError):
    """Nothing may be written at the destination."""

    code = "destination_not_allowed"
    status = 403


class QuotaExceeded(BackgroundTransferError):
    """The server allows no more of this."""

    code = "quota_exceeded"
    status = 429


class LaunchError(BackgroundTransferError):
    """The launch cell cannot be registered or run."""

    code = "launch_error"
    status = 409


class StillRunning(BackgroundTransferError, TimeoutError):
    """The transfer still runs; only the waiting ended."""

    code = "still_running"


class TransferError(BackgroundTransferError):
    """A transfer failed."""

    code = "transfer_error"


class HTTPStatusError(TransferError):
    """The server answered with an error status."""

    code = "http_status"


class ChecksumMismatch(TransferError):
    """The bytes do not have the expected checksum or size."""

    code = "checksum_mismatch"


class SourceChanged(TransferError):
    """The resource changed while it was fetched."""

    code = "source_changed"


class UnexpectedContent(TransferError):
    """The server answered with a web page where a file was expected."""

    code = "unexpected_content"


class AddressNotAllowed(TransferError, PermissionError):
    """The server's network policy does not allow to connect to this address."""

    code = "address_not_allowed"


class Cancelled(TransferError):
    """The transfer was cancelled."""

    code = "cancelled"


class TransferTimeout(TransferError):
    """The transfer did not finish within ``timeout_for_resource``."""

    code = "transfer_timeout"


def _subclasses(
    cls: type[BackgroundTransferError],
) -> list[type[BackgroundTransferError]]:
    return [cls, *(c for child in cls.__subclasses__() for c in _subclasses(child))]


by_code: dict[str, type[BackgroundTransferError]] = {
    cls.code: cls for cls in _subclasses(BackgroundTransferError)
}
"""Each class under its ``code``. An unknown code means :class:`TransferError`."""
