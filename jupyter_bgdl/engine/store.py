"""The part of one attempt and what goes with it: its checkpoints, its checksum, the one it
replaces."""

from __future__ import annotations

import logging
from collections.abc import Callable

from jupyter_bgdl.engine.checkpoints import Checkpoints
from jupyter_bgdl.engine.digest import Digest
from jupyter_bgdl.engine.orphans import part_names
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.part import PartFile, discard
from jupyter_bgdl.engine.protocol import Checkpoint, Extents, Fetch, Report

_log = logging.getLogger(__name__)


class Store:
    """Used by the transfer's own thread."""

    def __init__(self, unit: Fetch, emit: Callable[[Report], None]) -> None:
        self.part: PartFile | None = None
        self._unit = unit
        self._emit = emit
        self._stale: PartFile | None = None
        self.checksum = unit.checksum
        """``algorithm:hex`` that the whole must have: what was given, else what a server told."""
        self._digest: Digest | None = None
        self._checkpoints: Checkpoints | None = None

    @property
    def received(self) -> int:
        part = self.part
        return part.received if part is not None else 0

    def reopen(self) -> None:
        """Go on with the part of an earlier attempt, if that is what is there."""
        if self._unit.part is not None and self._unit.extents:
            self.part = PartFile.reopen(self._unit.part, self._unit.extents)
            self._start_digest()

    def create(self, *, with_digest: bool) -> PartFile:
        """A new part. The one that was set aside, or could not be used, is removed."""
        self.part = part = PartFile.create(
            self._unit.folder,
            part_names(self._unit.mark, self._unit.attempt),
            self._unit.confines,
        )
        self._drop_stale()
        if self._stale is None and self._unit.part is not None:
            discard(self._unit.part)
        if with_digest:
            self._start_digest()
        return part

    def believe(self, told: str | None) -> None:
        """Hold the part to what a response tells of the whole, unless there is a checksum."""
        if told is not None and self.checksum is None:
            self.checksum = told
            self._start_digest()

    def set_aside(self) -> None:
        """Leave the part alone; it goes when there is a new one."""
        self._end_digest()
        self.checksum = self._unit.checksum
        self._drop_stale()
        self._stale, self.part = self.part, None

    def start_checkpoints(self) -> None:
        assert self.part is not None
        self._checkpoints = Checkpoints(self.part, self._report)

    def end_checkpoints(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.end()

    def check(self) -> None:
        """Raises Abort if bytes don't reach the disk."""
        if self._checkpoints is not None:
            self._checkpoints.check()

    def digest(self) -> str | None:
        """``algorithm:hex`` of the whole part, if there is a checksum. Raises Abort."""
        return self._digest.result() if self._digest is not None else None

    def last_extents(self) -> Extents | None:
        """What is on stable storage now; None if there is no part."""
        self._end_digest()
        part = self.part
        if part is None:
            return None
        try:
            part.sync()
        except Abort as error:
            _log.warning("the last checkpoint failed: %s", error.code)
        return part.extents

    def close(self) -> None:
        self._end_digest()
        for part in (self.part, self._stale):
            if part is not None:
                part.close()

    def _report(self, part: PartFile) -> None:
        self._emit(Checkpoint(self._unit.attempt, part.extents))

    def _start_digest(self) -> None:
        if self.checksum is not None and self.part is not None:
            self._digest = Digest(self.checksum.partition(":")[0].lower(), self.part)

    def _end_digest(self) -> None:
        if self._digest is not None:
            self._digest.abandon()
            self._digest = None

    def _drop_stale(self) -> None:
        if self._stale is not None:
            self._stale.discard()
            self._stale = None
