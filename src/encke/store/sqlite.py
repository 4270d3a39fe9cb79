"""The store in one SQLite file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw

from encke.ledger.entry import Entry
from encke.store import leases
from encke.store.backup import backup
from encke.store.migrate import check_current, migrate
from encke.store.opening import BUSY_MS, open_reader, open_writer, quick_check, reading, writing
from encke.store.port import Appended, GroupBy, LeaseRow, StoreError, UsageRow, Verdict
from encke.store.posting import Books, charged
from encke.store.pruning import prune
from encke.store.reports import span, usage
from encke.store.rows import ENTRIES, entry_of
from encke.store.sqlite_levels import SqliteLevels
from encke.store.sqlite_replies import ReplyTable
from encke.store.trouble import plainly
from encke.store.verify import verify

# The keeper comes again with the same entries in a moment, and has other things to do than to wait for a lock.
APPEND_MS = 20


# After which a connection is what it was.
_HARMLESS = (apsw.BusyError, apsw.LockedError, apsw.ConstraintError, apsw.ReadOnlyError, apsw.ConnectionClosedError)


class SqliteStore(SqliteLevels):
    """A `Store`. Not for several threads; one writer at a time, as many readers as you like."""

    def __init__(self, db: apsw.Connection, path: Path, before_commit: Callable[[], None] | None = None) -> None:
        self._db = db
        self._before_commit = before_commit
        self._books = Books()
        self.replies = ReplyTable(self._unflushed)
        self._doubtful = False
        self.path = path

    @classmethod
    def open(cls, path: Path, *, check: bool = True, before_commit: Callable[[], None] | None = None) -> SqliteStore:
        """Open for writing: make the file if there is none, check the whole of it unless told not to, bring its schema
        up to date. `before_commit` is called before each. Raises StoreError."""
        return cls(_open(path, check, before_commit), path, before_commit)

    def renew(self) -> None:
        """See `Store`."""
        # First the old one: connections of one process share what SQLite knows of the file, that it was read-only too.
        with contextlib.suppress(apsw.Error):
            self._db.close(True)
        self._books.forget()
        self._doubtful = True  # until there is a new one
        self._db = _open(self.path, False, self._before_commit, APPEND_MS)
        self._doubtful = False

    @classmethod
    def open_read_only(cls, path: Path) -> SqliteStore:
        """Open for reports, beside the writer; every method that writes raises StoreError. Raises StoreError."""
        with plainly(path):
            db = open_reader(path)
            try:
                check_current(db, path)
            except BaseException:
                db.close()
                raise
        return cls(db, path)

    # Entries

    def append(self, entries: Sequence[Entry], epoch: int = 0) -> Appended:
        """See `Store`."""
        with plainly(self.path):
            try:
                with self._at_once(), writing(self._db):
                    return self._books.append(self._db, entries, epoch)
            except BaseException:
                self._books.forget()
                raise

    def posted(self, limit: int, window: int) -> int:
        """See `Store`."""
        query = "SELECT posted FROM accounts WHERE limit_id = ? AND window = ?"
        with plainly(self.path):
            return self._db.execute(query, (limit, window)).get or 0

    def entries(self, call: str) -> list[Entry]:
        """See `Store`."""
        query = f"SELECT {ENTRIES} WHERE call = ? ORDER BY attempt"
        with plainly(self.path):
            return [entry_of(row[:-1], charged(row[-1])) for row in self._db.execute(query, (call,))]

    def usage(self, since: int, until: int, by: GroupBy | None = None) -> list[UsageRow]:
        """See `Store`."""
        with plainly(self.path), reading(self._db):
            return usage(self._db, since, until, by)

    def span(self, since: int, until: int) -> tuple[int, int]:
        """See `Store`."""
        with plainly(self.path):
            return span(self._db, since, until)

    def verify(self, now: int, tell: Callable[[int, int], None], integrity: bool = False) -> Verdict:
        """See `Store`."""
        with plainly(self.path), reading(self._db):
            return verify(self._db, now, tell, integrity)

    def backup(self, to: Path) -> int:
        """See `Store`."""
        return backup(self._db, to)

    def prune(self, before: int, most: int) -> int:
        """See `Store`."""
        with plainly(self.path), self._at_once(), leases.unflushed(self._db), writing(self._db):
            return prune(self._db, before, most)

    # Leases

    def leases(self) -> list[LeaseRow]:
        """See `Store`."""
        with plainly(self.path):
            return leases.leases(self._db)

    def rates(self) -> list[tuple[int, int]]:
        """See `Store`."""
        with plainly(self.path):
            return leases.rates(self._db)

    def grant(self, given: Sequence[tuple[int, int, int, int]], rates: Sequence[tuple[int, int]]) -> None:
        """See `Store`."""
        with self._unflushed() as db:
            leases.grant(db, given, rates)

    def forget_leases(self, epoch: int) -> None:
        """See `Store`."""
        with self._unflushed() as db:
            leases.forget(db, epoch)

    def drop_leases(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """See `Store`."""
        with self._unflushed() as db:
            leases.drop(db, rows)

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        with self._trusted():
            self._db.set_busy_timeout(APPEND_MS)
            try:
                yield
            finally:
                self._db.set_busy_timeout(BUSY_MS)

    @contextlib.contextmanager
    def _write(self) -> Iterator[apsw.Connection]:
        with plainly(self.path), self._trusted(), super()._write() as db:
            yield db

    @contextlib.contextmanager
    def _trusted(self) -> Iterator[None]:
        """For a transaction that writes. If a commit fails, and then the reading of what it had changed, a connection
        may take for committed what is not; the next transaction would find nothing left to do. So that gets a new
        connection."""
        if self._doubtful:
            self.renew()
        try:
            yield
        except StoreError as error:
            self._doubtful = not isinstance(error.__cause__, _HARMLESS)
            raise
        except apsw.Error as error:
            self._doubtful = not isinstance(error, _HARMLESS)
            raise

    @contextlib.contextmanager
    def _unflushed(self) -> Iterator[apsw.Connection]:
        with plainly(self.path), self._at_once(), leases.unflushed(self._db), writing(self._db):
            yield self._db

    # Housekeeping

    def checkpoint(self) -> None:
        """See `Store`."""
        with plainly(self.path):
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def checkpoint_idle(self) -> None:
        """See `Store`. Somebody reading just now is no error: the next idle moment will do."""
        with plainly(self.path):
            self._db.set_busy_timeout(0)
            try:
                with contextlib.suppress(apsw.BusyError):
                    self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            finally:
                self._db.set_busy_timeout(BUSY_MS)

    def close(self) -> None:
        """See `Store`."""
        with plainly(self.path):
            self._db.close()


def _open(
    path: Path, check: bool, before_commit: Callable[[], None] | None, patience_ms: int = BUSY_MS
) -> apsw.Connection:
    with plainly(path):
        db = open_writer(path, patience_ms)
        try:
            if before_commit is not None:
                db.set_commit_hook(lambda: bool(before_commit()))  # null: it shall be committed
            if check:
                quick_check(db, path)
            migrate(db, path)
            db.set_busy_timeout(BUSY_MS)
        except BaseException:
            db.close()
            raise
    return db
