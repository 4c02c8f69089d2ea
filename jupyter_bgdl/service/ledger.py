"""The only truth: one SQLite file, one connection, one thread.

    state_dir/             0700
      ledger.db            0600   with -wal, which takes its permissions over
      owner.json           0600   who has it open
      ledger.db.corrupt-…         what was quarantined
      ledger.db.version-…         as it was before an upgrade

No code of this process may ever ``open()`` the ledger's files: closing any descriptor of a file
drops all of the process's POSIX locks on it, and another process could then write to it
(https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from jupyter_bgdl import owner_file
from jupyter_bgdl.errors import ServerUnavailable
from jupyter_bgdl.service.drafts import Drafts, Row
from jupyter_bgdl.service.queries import migrations, queries

log = logging.getLogger(__name__)

T = TypeVar("T")

_REVISIONS = 32
"""Bits of a revision that are counted in memory; those above say how often the ledger was opened,
so that revisions grow across starts and stay below 2**53 (the integers of JavaScript)."""


class Ledger:
    """Opened in :meth:`open`; everything else is called from that thread only."""

    def __init__(self, state_dir: Path, url: str | None = None) -> None:
        self.path = state_dir / "ledger.db"
        self.owner_path = owner_file.path_in(state_dir)
        self.url = url
        self._db: sqlite3.Connection | None = None
        self._queries = queries()
        self._drafts = Drafts(self._queries)
        self._at_end: dict[Callable[[list[Any]], None], list[Any]] = {}
        self._committed: dict[object, Callable[[], None]] = {}
        self.mark = ""
        """In the names of its parts; known once it is open."""
        self._revision = 0
        self._clock_base = 0.0
        self._clock_start = 0.0

    @property
    def is_open(self) -> bool:
        return self._db is not None

    # Opening and closing

    def open(self) -> None:
        """Make the folder and the ledger if they are missing, lock it, and bring it up to date.

        Raises :class:`ServerUnavailable` if another server has it, or a newer version wrote it.
        """
        owner = owner_file.read(self.owner_path)
        if owner and owner.is_elsewhere_and_alive:
            raise self._taken(owner)
        _private_folder(self.path.parent)
        try:
            self._connect()
        except sqlite3.OperationalError as e:
            self._disconnect()
            if e.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise self._taken(owner_file.read(self.owner_path)) from e
            raise ServerUnavailable(f"The ledger {self.path} cannot be opened: {e}.") from e
        except sqlite3.DatabaseError as e:
            self._disconnect()
            self._quarantine(e)
            self._connect()
        except ServerUnavailable:
            self._disconnect()
            raise
        owner_file.write(self.owner_path, self.url)
        with self.transaction():
            row = self.one("opened", wall=time.time())
            assert row
            # The gap since the clock was last saved counts; a wall clock that was set back
            # meanwhile counts as none (fault C1).
            self._clock_base = row["clock"] + max(0.0, time.time() - row["wall"])
            self._clock_start = time.monotonic()
            self.mark = row["mark"]
            self._revision = row["opened"] << _REVISIONS
            self.save_clock()

    def _connect(self) -> None:
        _private_file(self.path)
        db = self._db = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=True
        )
        # EXCLUSIVE has to come before WAL: then no shared memory is needed (NFS homes work) and
        # the lock is kept until the connection is closed.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        # Else each statement that a trigger could undo copies its pages to a file in /var/tmp:
        # most of what is written, and where the secrets in the rows have no business.
        db.execute("PRAGMA temp_store = MEMORY")
        # KiB. The indexes of 100,000 tasks have room: they are written all over, and with SQLite's
        # 2 MB a page is written again and again within the transaction that adds them.
        db.execute("PRAGMA cache_size = -16000")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("COMMIT")
        fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)
        self._migrate(db)

    def _migrate(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        steps = migrations()
        if version > len(steps):
            raise ServerUnavailable(
                f"The ledger {self.path} has schema {version}, from a newer version of "
                f"jupyter_bgdl; this one knows {len(steps)}. Install that, or set state_dir."
            )
        if 0 < version < len(steps):
            self._back_up(db, version)
        for number, script in enumerate(steps[version:], version + 1):
            try:
                db.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
            except sqlite3.Error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _back_up(self, db: sqlite3.Connection, version: int) -> None:
        """The ledger as the older version left it, for one who goes back to that."""
        copy = self.path.with_name(f"{self.path.name}.version-{version}")
        copy.unlink(missing_ok=True)
        _private_file(copy)
        db.execute("VACUUM INTO ?", (str(copy),))

    def _taken(self, owner: owner_file.Owner | None) -> ServerUnavailable:
        by = f" by {owner}" if owner else ""
        return ServerUnavailable(
            f"The ledger in {self.path.parent} is in use{by}. "
            "Stop that server, or give this one another state_dir."
        )

    def _quarantine(self, why: Exception) -> None:
        mark = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        for suffix in ("", "-wal", "-shm"):
            damaged = self.path.with_name(self.path.name + suffix)
            with suppress(FileNotFoundError):
                damaged.rename(self.path.with_name(f"{self.path.name}.corrupt-{mark}{suffix}"))
        log.error(
            "The ledger %s is damaged (%s). It was set aside as *.corrupt-%s; an empty one was "
            "made. Partial files were left where they are.",
            self.path,
            why,
            mark,
        )

    def _disconnect(self) -> None:
        if self._db:
            self._db.close()
            self._db = None

    def close(self) -> None:
        if not self._db:
            return
        with suppress(sqlite3.Error), self.transaction():
            self.save_clock()
        self._disconnect()
        self.owner_path.unlink(missing_ok=True)

    def beat(self) -> None:
        """Say that the ledger is still ours."""
        owner_file.write(self.owner_path, self.url)

    # Clock and revisions

    def clock(self) -> float:
        """Seconds on the ledger's clock: see the table ``ledger``."""
        return self._clock_base + time.monotonic() - self._clock_start

    def save_clock(self) -> None:
        """A crash later than this loses no more than the wall clock's gap."""
        self.run("save_clock", clock=self.clock(), wall=time.time())

    def revision(self) -> int:
        """Larger than any before."""
        self._revision += 1
        return self._revision

    # Statements

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. What was handed to :meth:`at_end` runs as its last part, what was handed
        to :meth:`on_commit` after it; both are dropped with it."""
        db = self._database()
        self._at_end, self._committed = {}, {}
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._end()
            db.execute("COMMIT")
        except BaseException:
            self._at_end, self._committed = {}, {}
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        finally:
            self._drafts.forget()
        committed, self._committed = self._committed, {}
        for action in committed.values():
            action()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Part of a transaction that can fail by itself; it has an end of its own."""
        db, kept, ends = self._database(), self._committed.copy(), self._at_end
        self._drafts.write(db)
        self._at_end = {}
        db.execute("SAVEPOINT one")
        try:
            yield
            self._end()
        except BaseException:
            self._committed = kept
            self._drafts.forget()
            if db.in_transaction:
                db.execute("ROLLBACK TO one")
                db.execute("RELEASE one")
            raise
        finally:
            self._at_end = ends
        db.execute("RELEASE one")

    def _end(self) -> None:
        while self._at_end:
            work = next(iter(self._at_end))
            work(self._at_end.pop(work))
        self._drafts.write(self._database())

    def at_end(self, work: Callable[[list[T]], None], item: T) -> None:
        """Call ``work`` at the end of the transaction, with all that it was handed in there."""
        self._at_end.setdefault(work, []).append(item)

    def end_now(self, work: Callable[[list[T]], None]) -> None:
        """Do not wait for the end of the transaction with it."""
        if work in self._at_end:
            work(self._at_end.pop(work))

    def on_commit(self, action: Callable[[], None], key: object = None) -> None:
        """Run ``action`` after the commit; of several with one ``key``, only the first."""
        self._committed.setdefault(object() if key is None else key, action)

    def run(self, query: str, **parameters: Any) -> sqlite3.Cursor:
        db = self._database()
        self._drafts.write(db)
        self._drafts.outdate(query)
        return db.execute(self._queries[query], parameters)

    def many(self, query: str, parameters: Iterable[dict[str, Any]]) -> None:
        """The same statement, which returns nothing, again and again."""
        db = self._database()
        self._drafts.write(db)
        self._drafts.outdate(query)
        db.executemany(self._queries[query], parameters)

    def one(self, query: str, **parameters: Any) -> Row | None:
        rows = self.all(query, **parameters)
        return rows[0] if rows else None

    def all(self, query: str, **parameters: Any) -> list[Row]:
        return _rows(self.run(query, **parameters))

    def each(self, query: str, **parameters: Any) -> Iterator[Row]:
        """As :meth:`all`, one after the other: there may be 100,000."""
        cursor = self.run(query, **parameters)
        names = [column[0] for column in cursor.description]
        for values in cursor:
            yield dict(zip(names, values, strict=True))

    def set(self, table: str, row: int, **columns: Any) -> Row:
        """Change columns of one row by its id; the row as it is then."""
        assert table in ("tasks", "sessions")
        if table == "tasks" and (draft := self._drafts.change(row, columns)) is not None:
            return draft
        names = ", ".join(f"{name} = :{name}" for name in columns)
        db = self._database()
        self._drafts.write(db)
        changed = _rows(
            db.execute(
                f"UPDATE {table} SET {names} WHERE id = :id RETURNING *",  # noqa: S608  # ours
                {**columns, "id": row},
            )
        )
        return changed[0]

    def task(self, task: int) -> Row | None:
        return self._drafts.get(task) or self.one("task", id=task)

    def draft(self, tasks: Iterable[int]) -> None:
        """Work on these tasks' rows in memory, until the transaction ends or something else
        writes to tasks."""
        self._drafts.take(self.all("tasks_by_id", tasks=as_json(tasks)))

    def _database(self) -> sqlite3.Connection:
        if self._db is None:
            raise ServerUnavailable("The ledger is not open.")
        return self._db


def as_json(values: Iterable[object]) -> str:
    """A list as a parameter, for ``json_each``."""
    return msgspec.json.encode(list(values)).decode()


def _rows(cursor: sqlite3.Cursor) -> list[Row]:
    found = cursor.fetchall()
    if not found:
        return []
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in found]


def _private_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def _private_file(path: Path) -> None:
    """Made by us, as SQLite would make it by the umask. ``O_EXCL``: never opens an existing one."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)
