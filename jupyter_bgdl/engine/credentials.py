"""Logins from the netrc file of the server's user (``$NETRC``, else ``~/.netrc``), by host.

The format is that of ftp(1), as curl reads it. The file is read again when it changed.
"""

from __future__ import annotations

import functools
import logging
import netrc
import os

import httpx

_log = logging.getLogger(__name__)


def login_for(host: str, *, is_home: bool) -> httpx.BasicAuth | None:
    """What the netrc file says for ``host``; None: nothing.

    ``is_home``: the host that the person asked. Only there the ``default`` entry counts, which
    names no host: wherever a redirect leads to, it must not follow.
    """
    path = os.path.expanduser(os.environ.get("NETRC") or "~/.netrc")  # noqa: PTH111 - for each file
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    entries = _read(path, found.st_mtime_ns, found.st_size, found.st_ino)
    entry = entries.get(host) or (entries.get("default") if is_home else None)
    return None if entry is None else httpx.BasicAuth(*entry)


@functools.lru_cache(maxsize=1)
def _read(path: str, modified: int, size: int, inode: int) -> dict[str, tuple[str, str]]:
    """Login and password by host. A file that can't be read is told of, and counts as empty."""
    try:
        hosts = netrc.netrc(path).hosts
    except netrc.NetrcParseError as error:
        # Its message may quote a password.
        _log.warning(
            "%s is not a valid netrc file (line %s); no login in it is used", path, error.lineno
        )
        return {}
    except UnicodeDecodeError:
        _log.warning("%s is not a valid netrc file (not UTF-8); no login in it is used", path)
        return {}
    except OSError as error:
        _log.warning("%s can't be read (%s); no login in it is used", path, error.strerror)
        return {}
    return {
        host: (login or account or "", password or "")
        for host, (login, account, password) in hosts.items()
    }
