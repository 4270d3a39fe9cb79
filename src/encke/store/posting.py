"""Adding entries: their rows, what accounts and leases are charged, and the sums by the hour, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

import apsw
import msgspec

from encke.ledger.entry import NOTHING, Entry
from encke.store.port import Appended
from encke.store.rows import BUCKETS, COLUMNS, INSERT, INSERT_MANY, Row, batches, row_of
from encke.store.sums import COST_AT, HOUR_MS, LINE, LINE_SQL, MOST_POSTED, SUMS, WELL_ENDED, plus

Accounts = tuple[tuple[int, int], ...]

# Combinations remembered; a site with more of them looks some up again.
_REMEMBERED: Final = 10_000


def _at(*columns: str) -> tuple[int, ...]:
    return tuple(map(COLUMNS.index, columns))


_STARTED, _COST, _CALL, _ATTEMPT = _at("started", "cost", "call", "attempt")
_BUCKETS_AT: Final = _at(*BUCKETS)
_tokens: Final = itemgetter(*_BUCKETS_AT)
# Entries that differ in nothing but numbers are added up together.
_alike: Final = itemgetter(*_at(*LINE, "attempt", "final", "status", "estimated", "charge"))

_ADD_ACCOUNT: Final = (
    "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT (limit_id, window) "  # noqa: S608 - all of it is ours
    f"DO UPDATE SET posted = min(posted + excluded.posted, {MOST_POSTED})"
)
_ADD_LEASE: Final = (
    "INSERT INTO leases (epoch, limit_id, window, granted, posted) VALUES (?, ?, ?, 0, ?) "  # noqa: S608
    "ON CONFLICT (epoch, limit_id, window) "
    f"DO UPDATE SET posted = min(posted + excluded.posted, {MOST_POSTED})"
)
_ADD_HOUR: Final = (
    f"INSERT INTO hours VALUES ({','.join('?' * (2 + len(SUMS)))}) "  # noqa: S608 - all of it is ours
    f"ON CONFLICT (hour, line) DO UPDATE SET {plus()}"
)
_FIND_LINE: Final = f"SELECT id FROM lines WHERE ({LINE_SQL}) = (?, ?, ?, ?, ?, ?)"  # noqa: S608
_ADD_LINE: Final = f"INSERT INTO lines ({LINE_SQL}) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"  # noqa: S608

_unpack: Final = msgspec.msgpack.Decoder(Accounts).decode
_pack: Final = msgspec.msgpack.Encoder().encode


class Books:
    """Adds entries, and remembers the ids that rows have in the tables beside them."""

    def __init__(self) -> None:
        self._charges: dict[bytes, int] = {}
        self._accounts: dict[int, Accounts] = {0: ()}
        self._lines: dict[Row, int] = {}

    def forget(self) -> None:
        """What was added has been rolled back, or may have been."""
        self._charges.clear()
        self._accounts = {0: ()}
        self._lines.clear()

    def append(self, db: apsw.Connection, entries: Sequence[Entry], epoch: int) -> Appended:
        """Within a transaction: see `Store.append`. If it fails, `forget`."""
        if len(self._charges) + len(self._lines) > _REMEMBERED:
            self.forget()
        rows = [row_of(e, 0 if e.accounts is NOTHING else self._charge(db, e.accounts)) for e in entries]
        rows = _insert(db, rows)
        posted = self._add_up(db, rows)
        db.executemany(_ADD_ACCOUNT, [(*account, cost) for account, cost in posted.items()])
        if epoch:
            db.executemany(_ADD_LEASE, [(epoch, *account, cost) for account, cost in posted.items()])
        return Appended(len(rows), posted)

    def _charge(self, db: apsw.Connection, accounts: msgspec.Raw) -> int:
        packed = bytes(accounts)
        charge = self._charges.get(packed)
        if charge is None:
            charge = self._charges[packed] = self._find_charge(db, packed)
        return charge

    def _find_charge(self, db: apsw.Connection, packed: bytes) -> int:
        try:
            accounts = () if packed == NOTHING else tuple(sorted(set(_unpack(packed))))
        except msgspec.DecodeError:  # no worker writes such; it must not stop what lies behind it
            accounts = ()
        if not accounts:
            return 0
        text = msgspec.json.encode(accounts).decode()
        charge = db.execute("SELECT id FROM charges WHERE accounts = ?", (text,)).get
        if charge is None:
            charge = db.execute("INSERT INTO charges (accounts) VALUES (?) RETURNING id", (text,)).get
        self._accounts[charge] = accounts
        return int(charge)

    def _line(self, db: apsw.Connection, line: Row) -> int:
        found = self._lines.get(line)
        if found is None:
            found = db.execute(_FIND_LINE, line).get
            if found is None:
                found = db.execute(_ADD_LINE, line).get
            self._lines[line] = found
        return found

    def _add_up(self, db: apsw.Connection, rows: Sequence[Row]) -> dict[tuple[int, int], int]:
        alike: dict[Row, list[Row]] = {}
        for row in rows:
            alike.setdefault(_alike(row), []).append(row)
        hours: dict[tuple[int, int], list[int]] = {}
        posted: dict[tuple[int, int], int] = {}
        for kind, several in alike.items():
            line = self._line(db, kind[: len(LINE)])
            for hour, some in _by_hour(several):
                sums = add_up(kind[len(LINE) :], some)
                known = hours.get((hour, line))
                hours[hour, line] = sums if known is None else list(map(int.__add__, known, sums))
                if sums[COST_AT]:
                    for account in self._accounts[kind[-1]]:
                        posted[account] = posted.get(account, 0) + sums[COST_AT]
        db.executemany(_ADD_HOUR, [(*at, *sums) for at, sums in hours.items()])
        return posted


def add_up(kind: Row, rows: Sequence[Row]) -> list[int]:
    """The SUMS of rows alike in `kind`: attempt, final, status, estimated (and more)."""
    attempt, final, status, estimated = kind[:4]
    count = len(rows)
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    costs = columns[_COST]
    priced = count - costs.count(None)
    cost = sum(costs) if priced == count else sum(each for each in costs if each is not None)
    unpriced = 0 if priced == count else sum(row[_COST] is None and any(_tokens(row)) for row in rows)
    failed = count if status not in WELL_ENDED else 0
    return [
        count if attempt < 2 else 0,
        count if final else 0,
        failed if final else 0,
        count if attempt else 0,
        failed if attempt else 0,
        priced,
        cost,
        unpriced,
        count if estimated else 0,
        *[sum(columns[at]) for at in _BUCKETS_AT],
    ]


def _by_hour(rows: list[Row]) -> list[tuple[int, list[Row]]]:
    hours = {row[_STARTED] // HOUR_MS for row in rows}
    if len(hours) == 1:
        return [(hours.pop(), rows)]
    return [(hour, [row for row in rows if row[_STARTED] // HOUR_MS == hour]) for hour in hours]


def _insert(db: apsw.Connection, rows: list[Row]) -> list[Row]:
    """Add rows; which of them are new."""
    before = db.total_changes()
    many, rest = batches(rows)
    db.executemany(INSERT_MANY, many)
    db.executemany(INSERT, rest)
    added = db.total_changes() - before
    if added == len(rows):
        return rows
    # A keeper that died has added some of them already. Rows of one transaction have ids one after the other.
    query = "SELECT call, attempt FROM entries WHERE rowid > ?"
    new = set(db.execute(query, (db.last_insert_rowid() - added,))) if added else set()
    found: list[Row] = []
    for row in rows:
        if (row[_CALL], row[_ATTEMPT]) in new:
            new.discard((row[_CALL], row[_ATTEMPT]))
            found.append(row)
    return found


def charged(accounts: str) -> msgspec.Raw:
    """The accounts of a row of `charges`, as an entry has them."""
    return NOTHING if accounts == "[]" else msgspec.Raw(_pack(msgspec.json.decode(accounts)))
