"""Conservation: whether what was written down twice is twice the same. Reads everything, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import apsw
import msgspec

from encke.store.port import TOLD, Check, Verdict
from encke.store.sums import COST_AT, FAILED, HOUR_MS, LINE, LINE_SQL, MOST_POSTED, OF_ENTRIES, SUMS, SUMS_SQL, USED

# Rows read by one statement: its sorter stays small, and whoever waits for progress gets some.
CHUNK: Final = 100_000
# A call that began so lately may be under way still.
UNDER_WAY_MS: Final = HOUR_MS

_Numbers = list[int]
_NOTHING: Final = [0] * len(SUMS)

_UNEXPLAINED: Final = f"reason = '' AND {FAILED}"
_FOR_NOTHING: Final = f"cost = 0 AND price_version NOT IN ('', 'free') AND {USED}"
# All of it is ours. Entries are in the order of their ids nearly in that of time.
_ENTRIES: Final = (
    f"SELECT started / {HOUR_MS}, {LINE_SQL}, charge, "  # noqa: S608
    f"count(*), count(*) FILTER (WHERE {_FOR_NOTHING}), count(*) FILTER (WHERE {_UNEXPLAINED}), {OF_ENTRIES} "
    f"FROM entries WHERE rowid > ? AND rowid <= ? GROUP BY 1, {LINE_SQL}, charge"
)
_HOURS: Final = f"SELECT hour, line, {SUMS_SQL} FROM hours WHERE hour >= ? AND hour < ?"  # noqa: S608
_PRUNED: Final = f"SELECT hour, {SUMS_SQL} FROM pruned_hours"  # noqa: S608

# Rows that are wrong, each with what to say of it. `call` and `attempt` come first.
_TWICE: Final = "SELECT call, attempt, count(*) FROM entries GROUP BY call, attempt HAVING count(*) > 1"
_WITHOUT_REASON: Final = f"SELECT call, attempt, status FROM entries WHERE {_UNEXPLAINED} LIMIT {TOLD}"  # noqa: S608
_FREE: Final = f"SELECT call, attempt, price_version FROM entries WHERE {_FOR_NOTHING} LIMIT {TOLD}"  # noqa: S608
_GIVE_NO_REASON: Final = "call {}, attempt {}: {}, and no reason"
_COST_NOTHING: Final = "call {}, attempt {}: tokens were used, price {}, cost 0"
# Every call has one entry that is its last. Nearly all have one entry at all.
_LAST: Final = (
    "SELECT call, (SELECT sum(final) FROM entries AS of WHERE of.call = entries.call) AS ends, started "
    "FROM entries WHERE (attempt <> 1 OR NOT final) AND ends <> 1 GROUP BY call"
)


def verify(db: apsw.Connection, now: int, tell: Callable[[int, int], None], integrity: bool) -> Verdict:
    """Within one transaction, so that all is of one moment: see `Store.verify`."""
    reader = _Reader(db)
    for done, most in reader.read():
        tell(done, most)
    checks = [
        reader.hours(),
        reader.accounts(),
        _twice(db, reader.entries),
        _each(db, "cost of what was used", _FREE, _COST_NOTHING, reader.for_nothing),
        _each(db, "a reason for every failure", _WITHOUT_REASON, _GIVE_NO_REASON, reader.unexplained),
        _last(db, now),
    ]
    if integrity:
        checks.append(_integrity(db))
    pruned = db.execute("SELECT coalesce(sum(entries), 0) FROM pruned_hours").get
    return Verdict(reader.entries, pruned, reader.cost, checks)


class _Reader:
    """Adds entries up as they come, and takes from that what the sums say once an hour seems to be over; what is left
    in the end differs. So memory is bounded by what few hours have, however many there are.
    """

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self.entries = self.cost = self.for_nothing = self.unexplained = 0
        self._lines = {row[1:]: row[0] for row in db.execute(f"SELECT id, {LINE_SQL} FROM lines")}  # noqa: S608
        self._charges: dict[int, int] = dict(db.execute("SELECT charge, cost FROM pruned_charges"))
        # Of an hour of which entries were removed only the sum over all lines can be checked: line 0.
        self._pruned = {hour for (hour,) in db.execute("SELECT hour FROM pruned_hours")}
        self._left: dict[tuple[int, int], _Numbers] = {}
        for hour, *numbers in db.execute(_PRUNED):
            self._add(hour, 0, numbers, 1)
        self._settled = 0  # hours before it have been taken off
        self._check = Check("sums by the hour")

    def read(self) -> Iterator[tuple[int, int]]:
        """Read all entries; how far that is, after each piece."""
        first = self._db.execute("SELECT min(rowid) FROM entries").get or 0
        last = self._db.execute("SELECT max(rowid) FROM entries").get or -1
        for begin in range(first - 1, last, CHUNK):
            newest = 0
            for row in self._db.execute(_ENTRIES, (begin, begin + CHUNK)):
                newest = max(newest, row[0])
                self._take(row)
            if newest - 2 > self._settled:
                self._take_off(self._settled, newest - 2)
            yield min(begin + CHUNK, last) - first + 1, last - first + 1
        self._take_off(self._settled, 1 << 62)

    def _take(self, row: Any) -> None:
        hour, line = row[0], row[1 : 1 + len(LINE)]
        charge, count, for_nothing, unexplained, *numbers = row[1 + len(LINE) :]
        cost = numbers[COST_AT]
        self.entries += count
        self.cost += cost
        self.for_nothing += for_nothing
        self.unexplained += unexplained
        if cost and charge:
            self._charges[charge] = self._charges.get(charge, 0) + cost
        self._add(hour, self._lines.get(line, -1), numbers, 1)

    def _add(self, hour: int, line: int, numbers: Any, sign: int) -> None:
        at = (hour, 0 if hour in self._pruned else line)
        known = self._left.get(at, _NOTHING)
        if sign > 0:
            self._left[at] = list(map(int.__add__, known, numbers))
        else:
            self._left[at] = list(map(int.__sub__, known, numbers))

    def _take_off(self, begin: int, end: int) -> None:
        for hour, line, *numbers in self._db.execute(_HOURS, (begin, end)):
            self._add(hour, line, numbers, -1)
        self._settled = end
        self._left = {at: numbers for at, numbers in self._left.items() if at[0] >= end or any(numbers)}

    def hours(self) -> Check:
        """Entries and sums by the hour."""
        names = {line: " ".join(map(str, columns)) for columns, line in self._lines.items()}
        for (hour, line), numbers in sorted(self._left.items()):
            of = names.get(line, "all lines together" if line == 0 else "a line that is not known")
            parts = ", ".join(f"{name} {number:+}" for name, number in zip(SUMS, numbers, strict=True) if number)
            self._check.differs(f"hour {hour} ({of}): entries less sums are {parts}")
        return self._check

    def accounts(self) -> Check:
        """What entries charge, and what accounts have been charged."""
        check = Check("accounts")
        owed: dict[tuple[int, int], int] = {}
        sets = dict(self._db.execute("SELECT id, accounts FROM charges"))
        for charge, cost in self._charges.items():
            for limit, window in msgspec.json.decode(sets.get(charge, "[]"), type=list[tuple[int, int]]):
                owed[limit, window] = owed.get((limit, window), 0) + cost
            if charge not in sets:
                check.differs(f"charge {charge}: entries cost {cost} nUSD, and what they are charged to is not known")
        posted = {(limit, window): sum for limit, window, sum in self._db.execute("SELECT * FROM accounts")}
        for account in sorted(owed.keys() | posted.keys()):
            entries, booked = min(owed.get(account, 0), MOST_POSTED), posted.get(account, 0)
            if entries != booked:
                text = f"limit {account[0]}, window {account[1]}: entries cost {entries} nUSD, posted are {booked}"
                check.differs(f"{text} ({booked - entries:+})")
        return check


def _twice(db: apsw.Connection, read: int) -> Check:
    check = Check("each attempt once")
    for call, attempt, count in db.execute(_TWICE):
        check.differs(f"call {call}, attempt {attempt}: {count} entries")
    indexed = db.execute("SELECT count(*) FROM entries").get  # by the smallest index
    if indexed != read:
        check.differs(f"{read} entries were read, and an index has {indexed}")
    return check


def _each(db: apsw.Connection, name: str, query: str, words: str, count: int) -> Check:
    """A check of single entries, `count` of which differ; `words` has a place for each column of the query."""
    check = Check(name)
    if count:
        for row in db.execute(query):
            check.differs(words.format(*row))
        check.found = count
    return check


def _last(db: apsw.Connection, now: int) -> Check:
    check = Check("one last attempt each")
    causes = {"under way": 0, "the worker died between two attempts": 0}
    for call, ends, started in db.execute(_LAST):
        if ends > 1:
            check.differs(f"call {call}: {ends} entries are its last")
        else:
            causes["under way" if started > now - UNDER_WAY_MS else "the worker died between two attempts"] += 1
    check.notes += [f"{count} calls have no last attempt: {cause}" for cause, count in causes.items() if count]
    return check


def _integrity(db: apsw.Connection) -> Check:
    check = Check("the file")
    for (text,) in db.execute("PRAGMA integrity_check(5)"):
        if text != "ok":
            check.differs(text)
    return check
