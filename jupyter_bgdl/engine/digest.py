"""A checksum of a part, computed beside the download by a thread that follows the frontier."""

from __future__ import annotations

import hashlib
import os
import threading

from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import PartFile, disk_errors

ALGORITHMS = ("sha256", "sha512", "sha1", "md5", "blake2b")

_BLOCK = 1 << 20
_LOOK_AGAIN = 0.01
"""Seconds until a thread that caught up looks whether more was written."""


class Digest:
    """Reads ``[0, frontier)`` of a part, from the page cache as a rule, and hashes it."""

    def __init__(self, algorithm: str, part: PartFile) -> None:
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._algorithm = algorithm
        self._part = part
        self._complete = False
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
        self._thread.start()

    def result(self) -> str:
        """``algorithm:hex`` of all that was written; call it when no more will be.

        Raises Abort if the part can't be read.
        """
        self._complete = True
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def abandon(self) -> None:
        """End the thread; the part may be closed afterwards."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with disk_errors():
                self._follow()
        except Exception as error:  # noqa: BLE001 - raised again by result()
            self._error = error

    def _follow(self) -> None:
        buffer = bytearray(_BLOCK)
        view = memoryview(buffer)
        done = 0
        while True:
            ended = self._ended.is_set()
            ahead = self._part.frontier - done
            if ended and (not self._complete or ahead == 0):
                return
            if ahead == 0:
                self._ended.wait(_LOOK_AGAIN)
                continue
            count = os.preadv(self._part.fd, [view[: min(ahead, _BLOCK)]], done)
            if count == 0:
                raise Abort("part_lost")
            self._hash.update(view[:count])
            done += count
