"""Turns specs into tasks: all of one submit, or none.

spec ──checked──▶ wanted ──the disk is looked at──▶ matched against the ledger
  no task matches                        CREATED
  one that is not completed              FOUND     (with the newer request, and resumed)
  done, its file there and unchanged     FOUND
  done and staged                        FOUND     (its file is the delegate's)
  "update": not known to be the newest   REOPENED  (fetched if the source changed)
  failed, cancelled, or its file gone    REOPENED
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from jupyter_bgdl.engine.protocol import FROM_MIRROR
from jupyter_bgdl.environment import names_in
from jupyter_bgdl.errors import (
    Cancelled,
    DestinationExists,
    DestinationNotAllowed,
    InvalidResumeData,
)
from jupyter_bgdl.model import (
    IfExists,
    Match,
    Phase,
    SessionOptions,
    Submitted,
    TaskSpec,
    WaitingFor,
)
from jupyter_bgdl.properties import TaskChange
from jupyter_bgdl.resume_data import ResumeRequest
from jupyter_bgdl.service import destinations, sources
from jupyter_bgdl.service.destinations import Found
from jupyter_bgdl.service.endings import check_takes_tasks
from jupyter_bgdl.service.kept_parts import Kept
from jupyter_bgdl.service.ledger import Ledger, as_json
from jupyter_bgdl.service.leftovers import Leftovers
from jupyter_bgdl.service.places import Places
from jupyter_bgdl.service.quotas import Quotas
from jupyter_bgdl.service.scheduler import Scheduler
from jupyter_bgdl.service.sessions import Sessions, check_identifier
from jupyter_bgdl.service.submission import Wanted, checked
from jupyter_bgdl.service.tasks import Tasks
from jupyter_bgdl.service.units import Held
from jupyter_bgdl.service.views import Row, spec_of

_SPOILT = frozenset({"checksum_mismatch", "source_changed", "unexpected_content"})
"""Errors after which what was fetched is of no use."""

_USED = "This resume data was used already; each can be used once. Download the file anew."


class Submitter:
    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        tasks: Tasks,
        scheduler: Scheduler,
        leftovers: Leftovers,
        places: Places,
        quotas: Quotas,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._tasks = tasks
        self._scheduler = scheduler
        self._leftovers = leftovers
        self._places = places
        self._quotas = quotas
        self._one_at_a_time = asyncio.Lock()

    async def submit(
        self,
        user: str,
        identifier: str,
        specs: list[TaskSpec],
        find_only: bool = False,
        must_find: bool = False,
        confined: bool = False,
    ) -> list[tuple[Match, int]]:
        """What became of each, and the number of its task. ``find_only``: what is completed stays
        so, whatever became of it. ``must_find``: what is not there raises
        :class:`InvalidResumeData`. ``confined``: its paths have to be in the contents root. The
        caller pumps.

        Raises the errors of :func:`checked`, :class:`QuotaExceeded`, and
        :class:`DestinationExists` or :class:`DestinationNotAllowed` for what the disk says; then
        nothing was submitted."""
        async with self._one_at_a_time:
            if specs and all(spec.unattended for spec in specs):
                check_identifier(identifier)
                with self._ledger.transaction():
                    self._sessions.get_or_add(user, identifier)
            session = self._sessions.get(user, identifier)
            options = self._sessions.options(session)
            wanted = await asyncio.to_thread(
                lambda: [checked(spec, options, confined) for spec in specs]
            )
            found = await asyncio.to_thread(destinations.look, wanted, self._places)
            known = self._matches(session, found)
            published = [row["path"] for row in known.values() if row["path"] is not None]
            sizes = await asyncio.to_thread(destinations.sizes, published)
            unsure = [one for one in found if not _is_verified(known, one.wanted, sizes)]
            digests = await asyncio.to_thread(destinations.digests, unsure)
            with self._ledger.transaction():
                session = self._sessions.get(user, identifier)
                named = {name for spec in specs for name in names_in(spec.request.headers)}
                self._scheduler.environment.want(session, named)
                # Only a submit adds tasks, and this is the only one; others may change them.
                known = self._matches(session, found) if known else {}
                if must_find and len(known) < len(found):
                    raise InvalidResumeData(_USED)
                new = {one.wanted.match for one in found} - known.keys()
                is_told = not all(spec.unattended for spec in specs)
                self._quotas.check_tasks(session, len(new), told=is_told)
                if not known and _are_plain(found, digests):
                    self._unattended(session)
                    return self._add_all(session, options, found)
                results = [
                    self._found(known[one.wanted.match], one)
                    if find_only and one.wanted.match in known
                    else self._settle(session, options, one, known, sizes, digests)
                    for one in found
                ]
                if any(match is not Match.FOUND for match, _ in results):
                    self._unattended(session)
                return [(match, row["number"]) for match, row in results]

    def _unattended(self, session: Row) -> None:
        """What is made in a kernel that the server launched waits for good conditions."""
        if session["launched"]:
            self._ledger.set("sessions", session["id"], unattended=1)

    async def resume_from(
        self, user: str, identifier: str, request: ResumeRequest, confined: bool
    ) -> Submitted:
        """Raises :class:`InvalidResumeData`, and what :meth:`submit` raises."""
        parts = self._scheduler.kept_parts
        kept, is_used = parts.find(user, request.resume_data)
        if not is_used:
            await asyncio.to_thread(kept.check)
        spec = msgspec.structs.replace(kept.spec, resume=False)
        if request.destination is not None:
            spec = msgspec.structs.replace(spec, destination=request.destination)
        if request.staging is not None:
            spec = msgspec.structs.replace(spec, staging=request.staging)
        # A cell that was run again finds its task.
        settled = await self.submit(
            user, identifier, [spec], find_only=is_used, must_find=is_used, confined=confined
        )
        match, number = settled[0]
        with self._ledger.transaction():
            row = self._tasks.by_number(self._sessions.get(user, identifier), number)
            kept, is_used = parts.find(user, request.resume_data)
            is_new = row["phase"] == Phase.SUSPENDED and not row["attempts"]
            if is_new and row["part_path"] is None and not is_used:
                row = self._with_part(row, kept)
                parts.used(request.resume_data)
            elif row["error_code"] is not None:
                raise InvalidResumeData(_USED)
            if request.properties != TaskChange() and row["phase"] != Phase.COMPLETED:
                row = self._scheduler.change(row, request.properties)
        return Submitted(match, self._tasks.view(row))

    def _with_part(self, row: Row, kept: Kept) -> Row:
        return self._tasks.update(
            row,
            part_path=kept.part.path,
            part_device=kept.part.device,
            part_inode=kept.part.inode,
            extents=msgspec.json.encode(kept.extents),
            validator=kept.validator,
            total=kept.total,
            received=kept.received,
            resumed=kept.received,
        )

    def _add_all(
        self, session: Row, options: SessionOptions, found: list[Found]
    ) -> list[tuple[Match, int]]:
        """Downloads that are all new, with few statements."""
        check_takes_tasks(session)
        for one in found:
            self._check_disk(one)
        claims = [claim for one in found if (claim := one.wanted.claim) is not None]
        writers = self._ledger.all("writers_of", claims=as_json(claims)) if claims else []
        if writers or len(set(claims)) < len(claims):
            # One of them is refused: find out which.
            for one in found:
                self._check_writer(one.wanted, None)
                self._tasks.add(session, one.wanted, options)
            raise AssertionError("two tasks of one submit write to one path")
        first, last = self._tasks.add_all(session, [one.wanted for one in found], options)
        self._ledger.on_commit(lambda: self._scheduler.watch_new(session["id"], first))
        return [(Match.CREATED, number) for number in range(first, last + 1)]

    def _matches(self, session: Row, found: list[Found]) -> dict[str, Row]:
        keys = msgspec.json.encode([one.wanted.match for one in found]).decode()
        rows = self._ledger.all("matches", session=session["id"], matches=keys)
        return {row["match"]: row for row in rows}

    def _settle(
        self,
        session: Row,
        options: SessionOptions,
        found: Found,
        known: dict[str, Row],
        sizes: Mapping[str, int | None],
        digests: Mapping[str, str],
    ) -> tuple[Match, Row]:
        wanted, key = found.wanted, found.wanted.match
        row = known.get(key)
        spec = wanted.spec
        updates = spec.if_exists is IfExists.UPDATE and spec.destination is not None
        is_right = updates and (
            _is_verified(known, wanted, sizes)
            or (spec.checksum is not None and digests.get(spec.destination or "") == spec.checksum)
        )
        if row is None:
            check_takes_tasks(session)
            self._check(found, None)
            match = Match.CREATED
            row = self._tasks.add(session, wanted, options)
            if wanted.source is not None:
                row = self._scheduler.uploads.born(row, wanted)
            self._scheduler.after(row)
        elif row["phase"] != Phase.COMPLETED:
            match, row = Match.FOUND, self._renew(row, wanted)
        elif row["error_code"] is None and (
            (is_right and sizes.get(row["path"]) == row["size"])
            if updates
            else self._is_there(row, wanted, sizes)
        ):
            match = Match.FOUND
        else:
            check_takes_tasks(session)
            self._check(found, row)
            match = Match.REOPENED
            held = _held(row, wanted, sizes) if updates else None
            row = self._reopen(session, row, wanted, held)
        if is_right and match is not Match.FOUND and spec.resume:
            row = self._have(row, wanted)
        known[key] = row
        return match, row

    def _found(self, row: Row, found: Found) -> tuple[Match, Row]:
        """As it is; only the newer request counts, if there will be another attempt."""
        if row["phase"] not in (Phase.COMPLETED, Phase.SUSPENDED):
            row = self._renew(row, found.wanted, only_if_new=True)
        return Match.FOUND, row

    def _is_there(self, row: Row, wanted: Wanted, sizes: Mapping[str, int | None]) -> bool:
        if wanted.source is not None:
            return self._scheduler.uploads.is_done(row, wanted)
        if spec_of(row).destination is None:
            return True
        size = sizes.get(row["path"])
        if size is not None and size != row["size"] and wanted.spec.if_exists is IfExists.KEEP:
            raise DestinationExists(f"{row['path']} is not the file any more that was fetched.")
        return bool(size == row["size"])

    def _check(self, found: Found, row: Row | None) -> None:
        self._check_disk(found)
        self._check_writer(found.wanted, row)

    def _check_disk(self, found: Found) -> None:
        spec = found.wanted.spec
        if found.refusal is not None:
            raise DestinationNotAllowed(found.refusal)
        if found.exists and spec.if_exists is IfExists.KEEP:
            raise DestinationExists(
                f"{spec.destination} exists already. "
                'Pass if_exists="update", "replace" or "rename".'
            )

    def _check_writer(self, wanted: Wanted, row: Row | None) -> None:
        """Two tasks never write to one path (fault D10)."""
        claim = wanted.claim
        other = self._ledger.one("writer_of", claim=claim) if claim else None
        if other and (row is None or other["id"] != row["id"]):
            raise DestinationExists(
                f"Task {other['number']} of session {other['identifier']!r} already writes to "
                f"{wanted.spec.destination}."
            )

    def _renew(self, row: Row, wanted: Wanted, *, only_if_new: bool = False) -> Row:
        """The newer request counts from the next attempt on: a signed URL, or a token, may have
        been replaced. Where the file goes stays. ``only_if_new``: the same credentials are not
        tried again."""
        old = spec_of(row)
        self._check_place(row, old, wanted)
        if old.request != wanted.spec.request:
            new = msgspec.structs.replace(old, request=wanted.spec.request)
            row = self._tasks.update(row, spec=msgspec.json.encode(new), host=wanted.host)
        change = _anew(wanted.spec, old)
        if change != TaskChange():
            row = self._scheduler.change(row, change)
        if wanted.source is not None:
            row = self._scheduler.uploads.renew(row, wanted)
        is_new = old.request != wanted.spec.request
        if row["waiting_for"] == WaitingFor.CREDENTIALS and (is_new or not only_if_new):
            row = self._scheduler.wake(row)
        if wanted.spec.resume:
            row = self._scheduler.resume(row)
        return row

    def _check_place(self, row: Row, old: TaskSpec, wanted: Wanted) -> None:
        """Who may write in the contents root only has no say in what is written elsewhere: a key
        finds a task wherever it writes."""
        places = [(one.destination, one.staging, one.from_file) for one in (old, wanted.spec)]
        if wanted.confined and not row["confined"] and places[0] != places[1]:
            raise DestinationNotAllowed(
                f"Task {row['number']} was made by a kernel, with another place for its file."
            )

    def _have(self, row: Row, wanted: Wanted) -> Row:
        """The file is there already, with the checksum that was given."""
        path = wanted.spec.destination
        assert path
        size = destinations.size(path)
        if size is None:
            return row
        return self._tasks.complete(
            row, path=path, size=size, received=size, total=size, verified=True
        )

    def retry(self, session: Row, row: Row) -> Row:
        """Open a failed or cancelled task again, as it was submitted."""
        check_takes_tasks(session)
        spec = msgspec.structs.replace(spec_of(row), resume=True)
        source = None if spec.from_file is None else sources.look(spec.from_file)
        confined = bool(row["confined"])
        wanted = Wanted.of(spec, row["host"], row["name"], source, confined)
        self._check_writer(wanted, row)
        return self._reopen(session, row, wanted)

    def _reopen(self, session: Row, row: Row, wanted: Wanted, held: Held | None = None) -> Row:
        """A new generation. What a failed one had fetched is used, unless it is spoilt."""
        failed = row["error_code"] not in (None, Cancelled.code)
        same_folder = wanted.spec.destination is not None and (
            wanted.spec.destination == spec_of(row).destination
        )
        options = self._sessions.options(session)
        if failed:
            self._leftovers.sweep(row)
        if not failed or row["error_code"] in _SPOILT or not same_folder:
            self._leftovers.drop_part(row)
            row = self._tasks.drop_part(row)
        kept = msgspec.json.encode(held) if held else None
        before, row = row, self._tasks.reopen(session, row, wanted, options, kept)
        if wanted.source is not None:
            row = self._scheduler.uploads.reopened(row, wanted, before=before)
        self._scheduler.after(row)
        return row


def _anew(spec: TaskSpec, old: TaskSpec) -> TaskChange:
    """What a spec says anew of a task's properties. Not the date: a span of time is counted from
    when its cell was run first."""
    born = TaskSpec(request=spec.request)
    given = {
        name: getattr(spec, name)
        for name in TaskChange.__struct_fields__
        if name != "earliest_begin_date"
        and getattr(spec, name) not in (getattr(born, name), getattr(old, name))
    }
    return TaskChange(**given)


def _are_plain(found: list[Found], digests: Mapping[str, str]) -> bool:
    """Whether, if none of them is known, each becomes a new download that has yet to begin."""
    return (
        not digests
        and all(one.wanted.source is None for one in found)
        and len({one.wanted.match for one in found}) == len(found)
    )


def _is_verified(known: Mapping[str, Row], wanted: Wanted, sizes: Mapping[str, int | None]) -> bool:
    """Whether the file was published under this very checksum, and looks as it did then."""
    row, checksum = known.get(wanted.match), wanted.spec.checksum
    return bool(
        row
        and checksum is not None
        and row["path"] is not None
        and row["verified"]
        and spec_of(row).checksum == checksum
        and sizes.get(row["path"]) == row["size"]
    )


def _held(row: Row, wanted: Wanted, sizes: Mapping[str, int | None]) -> Held | None:
    """What is left alone if the source is still the same; None: it has to be fetched anew, since
    the file is not the one that was published, or nothing tells its version."""
    is_ours = row["path"] is not None and sizes.get(row["path"]) == row["size"]
    if not is_ours or not row["validator"] or FROM_MIRROR in row["validator"]:
        return None
    if wanted.spec.checksum is not None:
        return None
    response = row["response"]
    return Held(
        path=row["path"],
        size=row["size"],
        validator=row["validator"],
        response=bytes(response).decode() if response is not None else None,
        verified=bool(row["verified"]),
    )
