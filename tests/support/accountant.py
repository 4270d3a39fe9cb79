"""Does the money add up? The provider's statement, a price list of our own, and the database as it lies on the disk.

    python -m tests.support.accountant STATEMENT.jsonl encke.db PRICES.json [SEEN.jsonl]

PRICES.json: {"model": {"input": "15", "output": "75", "cache_read": "1.5", "request": "0.001"}}, dollars per million
tokens and per request, as decimal strings; a model that is not in it has no price. SEEN.jsonl is what
`tests.durability.crowd` writes. It imports nothing of Encke, nor anything that Encke imports: a mistake of ours must
not be made here once more. Sums are exact fractions until a row's cost is rounded up to a nano-dollar.
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Account = tuple[int, int]

NANO_PER_MILLIONTH = 1000  # dollars per million tokens, as nano-dollars per token
NANO = 10**9
BYTES_PER_TOKEN = 3

# The order matters: what a price list leaves out costs what the bucket before the slash costs.
BUCKETS = {
    "input": "", "cache_read": "input", "cache_write_5m": "input", "cache_write_1h": "cache_write_5m",
    "audio_input": "input", "image_input": "input", "output": "", "reasoning": "output", "audio_output": "output",
    "image_output": "output",
}  # fmt: skip
WRITTEN = ("output", "reasoning", "audio_output", "image_output")
READ = tuple(name for name in BUCKETS if name not in WRITTEN)

SUMMED = ("cost", "input", "cache_read", "output", "reasoning")
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in SUMMED)

# A row with one of these may stand for a request that the provider never got: recorded, and not sent.
MAYBE_NOT_SENT = {"orphan", "uncertain", "failed", "client_closed"}


class Tariff:
    """What one model costs. Raises KeyError if input or output is left out."""

    def __init__(self, listed: Mapping[str, str]) -> None:
        self._rates: dict[str, Fraction] = {}
        for name, otherwise in BUCKETS.items():
            known = Fraction(listed[name]) if name in listed or not otherwise else self._rates[otherwise]
            self._rates[name] = known
        self._request = Fraction(listed.get("request", "0"))

    def cost(self, tokens: Mapping[str, int]) -> int:
        """Nano-dollars of one request with so many tokens in each bucket, rounded up."""
        exact = sum((self._rates[name] * tokens.get(name, 0) for name in BUCKETS), Fraction(0)) * NANO_PER_MILLIONTH
        return math.ceil(exact) + math.ceil(self._request * NANO)


@dataclass
class Books:
    """The database's tables, as they are."""

    entries: list[Row]
    charges: dict[int, list[Account]]
    accounts: dict[Account, int]
    leases: list[Row]
    limits: dict[int, Row]
    hours: list[Row]
    integrity: str


@dataclass
class Audit:
    """`problems`: what does not add up. `ledger`, `low` and `high`: nano-dollars in all, by our rows and by what the
    statement says of the same calls; these differ only where a call was cut. `over`: by how much a budget is overspent.
    """

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    ledger: int = 0
    low: int = 0
    high: int = 0
    over: dict[Account, int] = field(default_factory=dict)

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        worst = max(self.over.values(), default=0)
        return (
            f"{counted}; ledger {self.ledger} nUSD, statement {self.low} to {self.high}, "
            f"most overspent {worst}; {len(self.problems)} problems"
        )


def read_books(store: Path) -> Books:
    """What stands in the database, in one moment. A gateway may be using it."""
    db = sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("BEGIN")
        charges = {row["id"]: [tuple(pair) for pair in json.loads(row["accounts"])] for row in _all(db, "charges")}
        accounts = {(row["limit_id"], row["window"]): row["posted"] for row in _all(db, "accounts")}
        limits = {row["id"]: row for row in _all(db, "limits")}
        integrity = "; ".join(str(row[0]) for row in db.execute("PRAGMA integrity_check"))
        return Books(_all(db, "entries"), charges, accounts, _all(db, "leases"), limits, _all(db, "hours"), integrity)
    finally:
        db.close()


def _all(db: sqlite3.Connection, table: str) -> list[Row]:
    return [dict(row) for row in db.execute(f"SELECT * FROM {table}")]  # noqa: S608


@dataclass
class Statement:
    """What the provider says, by nonce: what it was asked, and how that ended, by its number of the call."""

    asked: dict[str, list[Row]]
    outcomes: dict[int, Row]


def read_statement(path: Path) -> Statement:
    """The provider's log; a line that is being written is left out."""
    asked: dict[str, list[Row]] = defaultdict(list)
    outcomes: dict[int, Row] = {}
    for one in read_lines(path):
        if one["type"] == "received" and one["method"] == "POST":
            asked[one.get("nonce") or ""].append(one)
        elif one["type"] == "outcome":
            outcomes[one["call"]] = one
    return Statement(asked, outcomes)


def read_lines(path: Path) -> Iterator[Row]:
    """Whole lines of JSON."""
    with path.open() as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def repeated(nonce: str, tokens: int) -> int:
    """Bytes of content that may have been received when so many tokens were sent: a piece counts when it is gone, so
    one more. The fake provider begins with the nonce and repeats it.
    """
    pieces = min(tokens + 1, 4096)
    return sum(len(f"token:{nonce}") if not number else len(f" {nonce}.{number}") for number in range(pieces))


def audit(
    statement: Statement,
    books: Books,
    prices: Mapping[str, Mapping[str, str]],
    seen: Iterable[Row],
    content_of: Callable[[str, int], int] = repeated,
) -> Audit:
    """Compare everything with everything. `seen` are lines as of the crowd: nonce, call, end, content; `content_of` as
    `repeated`, for answers of another kind.
    """
    found = Audit()
    tariffs = {model: Tariff(listed) for model, listed in prices.items()}
    callers = {one["nonce"]: one for one in seen}
    if books.integrity != "ok":
        found.problems.append(f"integrity_check: {books.integrity}")
    found.problems += _ended(books, callers.values(), found)
    keys = Counter((row["call"], row["attempt"]) for row in books.entries)
    found.problems += [f"twice in the ledger: {key}" for key, count in keys.items() if count > 1]
    told: dict[str, list[Row]] = defaultdict(list)
    for row in books.entries:
        found.counts[f"entries {row['status']}"] += 1
        told[row["client_request_id"]].append(row)
        found.problems += [f"{row['client_request_id']}: {problem}" for problem in _priced(row, tariffs)]
    for nonce, asked in statement.asked.items():
        sent = [row for row in told.get(nonce, ()) if row["dispatched"]]
        if len(asked) > len(sent):
            found.problems.append(f"{nonce}: asked {len(asked)} times of the provider, {len(sent)} in the ledger")
    for nonce, rows in told.items():
        for row, one in _paired(rows, statement.asked.get(nonce, [])):
            outcome = statement.outcomes.get(one["call"]) if one is not None else None
            content = callers.get(nonce, {}).get("content", 0) if row["final"] else 0
            low, high = _bounds(row, one, outcome, tariffs.get(row["model"]), content, content_of)
            cost = row["cost"] or 0
            found.ledger, found.low, found.high = found.ledger + cost, found.low + low, found.high + high
            found.counts["rows to the nano-dollar" if low == high else "rows within a chunk"] += 1
            if not low <= cost <= high:
                found.problems.append(f"{nonce}: {row['status']} {row['reason']} costs {cost}, not {low} to {high}")
            if low != high and not row["estimated"] and cost:
                found.problems.append(f"{nonce}: {row['status']}, in part, and not flagged as an estimate")
    found.problems += _conserved(books, found)
    return found


def _ended(books: Books, seen: Iterable[Row], found: Audit) -> Iterator[str]:
    """Whoever saw the end of a call has exactly one final row, and it says so."""
    finals: dict[str, list[str]] = defaultdict(list)
    for row in books.entries:
        if row["final"]:
            finals[row["call"]].append(row["status"])
    for one in seen:
        found.counts[f"seen {one['end']}"] += 1
        if one["end"] == "whole" and finals.get(one["call"] or "") != ["complete"]:
            yield f"{one['nonce']}: seen whole, in the ledger as {finals.get(one['call'] or '')}"


def _priced(row: Row, tariffs: Mapping[str, Tariff]) -> Iterator[str]:
    """A row's cost is its tokens times its model's price; nothing is guessed as zero."""
    used = sum(row[name] for name in BUCKETS)
    tariff = tariffs.get(row["model"])
    if any(row[name] < 0 for name in BUCKETS):
        yield f"tokens below zero: {row}"
    if tariff is None:
        if row["cost"] is not None and used:
            yield f"{row['model']} has no price, and cost {row['cost']}"
    elif used:
        right = tariff.cost({name: row[name] for name in BUCKETS})
        if row["cost"] != right:
            yield f"{row['status']} row costs {row['cost']}, its tokens {right}"
        if not row["price_version"]:
            yield "a cost without the version of its price"
    elif row["cost"]:
        yield f"{row['status']} row costs {row['cost']} for no tokens"


def _paired(rows: list[Row], asked: list[Row]) -> list[tuple[Row, Row | None]]:
    """Which row stands for which request. Attempts follow each other; where a death has left one that never went out,
    those that may not have arrived are the first to go without.
    """
    sent = sorted((row for row in rows if row["attempt"] and row["dispatched"]), key=lambda row: row["attempt"])
    spare = len(sent) - len(asked)
    lost: list[Row] = []
    for row in sent:
        if spare > len(lost) and row["status"] in MAYBE_NOT_SENT:
            lost.append(row)
    arrived = iter(sorted(asked, key=lambda one: one["at_ns"]))
    return [(row, next(arrived, None) if row in sent and row not in lost else None) for row in rows]


def _bounds(
    row: Row,
    one: Row | None,
    outcome: Row | None,
    tariff: Tariff | None,
    content: int,
    content_of: Callable[[str, int], int],
) -> tuple[int, int]:
    """The billing table: the least and the most that a row may cost, by how the attempt ended. `one` and `outcome` are
    the statement's lines; `content`: bytes that the caller saw.
    """
    status = row["status"]
    if tariff is None or not row["attempt"] or not row["dispatched"] or status in ("rejected", "refused"):
        return 0, 0
    if one is None:  # recorded, and never sent: at most its input is guessed
        return 0, tariff.cost({"input": row["input"]})
    guess = -(-one["body_bytes"] // BYTES_PER_TOKEN)
    told = outcome["prompt_tokens"] if outcome is not None else guess
    pieces = outcome["tokens"] if outcome is not None else 0
    if not row["estimated"] and status != "failed":
        # How its tokens are parted is the row's to say, how many there are is not.
        agreed = (_sum(row, READ), _sum(row, WRITTEN)) == (told, pieces)
        exact = tariff.cost({name: row[name] for name in BUCKETS} if agreed else {"input": told, "output": pieces})
        return (exact, exact) if outcome is not None else (0, -1)  # not over for the provider: nothing is right
    if status == "failed":
        return 0, tariff.cost({"input": max(guess, told)})
    # Broken off. A piece counts in the statement once it is gone, so one more may have been received; a whole answer is
    # measured as it comes.
    most = _tokens(content_of(one["nonce"] or "", pieces)) if row["stream"] else max(_tokens(row["received"]), pieces)
    # By bytes it may seem more than was asked for, and nobody is billed for that.
    asked = one.get("max_tokens")
    least = min(_tokens(content), pieces, pieces if asked is None else asked)
    return tariff.cost({"input": min(guess, told), "output": least}), tariff.cost(
        {"input": max(guess, told), "output": most}
    )


def _sum(row: Row, names: Iterable[str]) -> int:
    return sum(row[name] for name in names)


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def _conserved(books: Books, found: Audit) -> Iterator[str]:
    """Rows, accounts, hours and leases are four views of the same money."""
    sums: Counter[Account] = Counter()
    for row in books.entries:
        if row["charge"] not in books.charges:
            yield f"{row['call']} is charged to a set {row['charge']} that does not exist"
            continue
        for account in books.charges[row["charge"]]:
            sums[account] += row["cost"] or 0
            yield from _window(row, account, books)
    for account in sums.keys() | books.accounts.keys():
        posted = books.accounts.get(account, 0)
        if sums[account] != posted:
            yield f"account {account}: {sums[account]} by its entries, {posted} posted"
        limit = books.limits.get(account[0])
        if limit is not None and posted > limit["amount"]:
            found.over[account] = posted - limit["amount"]
    by_rows, by_hours = _total(books.entries), _total(books.hours)
    if by_rows != by_hours:
        yield f"the hours say {by_hours}, the entries {by_rows}"


def _total(rows: list[Row]) -> dict[str, int]:
    return {name: sum(row[name] or 0 for row in rows) for name in SUMMED}


def _window(row: Row, account: Account, books: Books) -> Iterator[str]:
    """The window of a budget is that of the moment of admission; here for those in UTC that begin on a first day."""
    limit = books.limits.get(account[0])
    if limit is None or limit["kind"] != "budget":
        yield f"{row['call']} is charged to {account}, which is no budget"
    elif limit["zone"] == "UTC" and limit["anchor"] == 1:
        moments = [row["started"], row["dispatched"] or row["started"]]
        if account[1] not in [window_of(limit["period"], moment) for moment in moments]:
            yield f"{row['call']} is charged to the {limit['period']} {account[1]}, and came at {row['started']}"


def window_of(period: str, moment: int) -> int:
    """UTC milliseconds at which the day, week or month of a moment began; 0 for what never begins anew."""
    at = datetime.fromtimestamp(moment / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        at -= timedelta(days=at.weekday())
    elif period == "month":
        at = at.replace(day=1)
    elif period != "day":
        return 0
    return int(at.timestamp()) * 1000


def at_rest(books: Books) -> list[str]:
    """When all processes have ended in order, no allowance is out there."""
    return [f"a lease is left: {row}" for row in books.leases if row["granted"] > row["posted"]]


def conserved(store: Path, *, rest: bool = False) -> list[str]:
    """What does not add up within the database alone, cheaply; `rest`: and what is left though all has come to rest."""
    db = sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("BEGIN")
        entries = [dict(row) for row in db.execute(f"SELECT charge, {_SUMS} FROM entries GROUP BY charge")]  # noqa: S608
        charges = {row["id"]: json.loads(row["accounts"]) for row in _all(db, "charges")}
        posted = {(row["limit_id"], row["window"]): row["posted"] for row in _all(db, "accounts")}
        sums: Counter[Account] = Counter()
        for row in entries:
            for limit, window in charges[row["charge"]]:
                sums[limit, window] += row["cost"] or 0
        problems = [
            f"account {account}: {sums[account]} by its entries, {posted.get(account, 0)} posted"
            for account in sums.keys() | posted.keys()
            if sums[account] != posted.get(account, 0)
        ]
        hours = [dict(row) for row in db.execute(f"SELECT {_SUMS} FROM hours")]  # noqa: S608
        if _total(entries) != _total(hours):
            problems.append(f"the hours say {_total(hours)}, the entries {_total(entries)}")
        leases = _all(db, "leases") if rest else []
        return problems + [f"a lease is left: {row}" for row in leases if row["granted"] > row["posted"]]
    finally:
        db.close()


def main() -> None:
    """Print the audit; status 1 if there are problems."""
    statement, store, prices, *seen = map(Path, sys.argv[1:])
    listed = json.loads(prices.read_text())
    found = audit(
        read_statement(statement), read_books(store), listed, [one for path in seen for one in read_lines(path)]
    )
    print(found)
    for problem in found.problems[:50]:
        print(" ", problem)
    sys.exit(bool(found.problems))


if __name__ == "__main__":
    main()
