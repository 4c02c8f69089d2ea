"""The file that lets the kernels of this server in.

A kernel's environment holds only the file's path: what is in the environment ends up in saved
notebooks (``!env``).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from jupyter_bgdl.model import ENVIRONMENT, Credentials, credentials_name

_EVERYWHERE = {"", "*", "0.0.0.0", "localhost"}  # noqa: S104 - compared with, not bound to


def local_url(ip: str, port: int, base_url: str, *, tls: bool) -> str:
    """The server's address as a kernel on this host reaches it.

    Not ``ServerApp.connection_url``: that has the host's name in it when the server listens on
    every interface, and a name may resolve to where a firewall stands.
    """
    host = "127.0.0.1" if ip in _EVERYWHERE else "::1" if ip == "::" else ip
    if ":" in host:
        host = f"[{host}]"
    return f"{'https' if tls else 'http'}://{host}:{port}{base_url}"


class CredentialsFile:
    """``folder/bgdl-<pid>.json``, there as long as the server runs."""

    def __init__(self, folder: Path) -> None:
        self.pid = os.getpid()
        self.path = folder / credentials_name(self.pid)

    def write(self, credentials: Credentials) -> None:
        """Write the file (0600 from the first moment, whatever the umask) and name it in the
        environment that kernels started from now on inherit. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file of a dead process with our pid may be there. It is not reused: a new one is
        # nobody else's, and a symlink is not followed.
        self.path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(credentials))
        os.environ[ENVIRONMENT] = str(self.path)

    def remove(self) -> None:
        """Remove the file, if it is there. Raises OSError."""
        self.path.unlink(missing_ok=True)
        if os.environ.get(ENVIRONMENT) == str(self.path):
            del os.environ[ENVIRONMENT]
