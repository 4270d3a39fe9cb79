"""The accountant sees what is wrong: each kind of mistake, put into books that add up."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.core.usage import Usage
from encke.ledger.entry import Entry
from encke.store.sqlite import SqliteStore
from tests.support.accountant import (
    Audit,
    Books,
    Statement,
    Tariff,
    at_rest,
    audit,
    conserved,
    read_books,
    read_statement,
    window_of,
)

NOON = 1_795_434_000_000  # 2026-11-23, 11:40 UTC
MONTH = 1_793_491_200_000  # 2026-11-01
PRICES = {"m": {"input": "15", "output": "75", "cache_read": "1.5"}}
ROW = {
    "call": "c1", "attempt": 1, "model": "m", "status": "complete", "reason": "stop", "stream": 1, "final": 1,
    "started": NOON, "dispatched": NOON, "input": 30, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0,
    "audio_input": 0, "image_input": 0, "output": 2, "reasoning": 0, "audio_output": 0, "image_output": 0,
    "estimated": 0, "cost": 600_000, "price_version": "v", "received": 100, "client_request_id": "n1", "charge": 1,
}  # fmt: skip
# Broken off: 99 bytes asked, two pieces sent (13 bytes), all of which the caller saw; a third may have come (18 bytes).
CUT = {**ROW, "call": "c2", "client_request_id": "n2", "status": "truncated", "input": 33, "output": 5, "estimated": 1}
CUT["cost"] = 33 * 15_000 + 5 * 75_000
LIMIT = {"id": 7, "kind": "budget", "amount": 10**9, "period": "month", "zone": "UTC", "anchor": 1}


@dataclass
class Case:
    """Everything that the accountant is shown."""

    statement: Statement
    books: Books
    seen: list[dict[str, Any]]

    def audit(self) -> Audit:
        return audit(self.statement, self.books, PRICES, self.seen)


def honest() -> Case:
    """Two calls, one broken off, charged to one budget."""
    asked = {
        nonce: [{"call": number, "nonce": nonce, "body_bytes": 99, "at_ns": 1}]
        for number, nonce in enumerate(("n1", "n2"), 1)
    }
    outcomes = {1: {"prompt_tokens": 30, "tokens": 2}, 2: {"prompt_tokens": 24, "tokens": 2}}
    entries = [deepcopy(ROW), deepcopy(CUT)]
    total = ROW["cost"] + CUT["cost"]  # type: ignore[operator]
    hours = [{"cost": total, "input": 63, "cache_read": 0, "output": 7, "reasoning": 0}]
    books = Books(entries, {0: [], 1: [(7, MONTH)]}, {(7, MONTH): total}, [], {7: deepcopy(LIMIT)}, hours, "ok")
    seen = [
        {"nonce": "n1", "call": "c1", "end": "whole", "content": 13},
        {"nonce": "n2", "call": "c2", "end": "broken", "content": 13},
    ]
    return Case(Statement(asked, outcomes), books, seen)


def test_books_that_add_up() -> None:
    """Nothing is found; totals are told, and what was known only within a chunk."""
    found = honest().audit()
    assert found.problems == [] and found.over == {}
    assert found.counts["rows to the nano-dollar"] == found.counts["rows within a chunk"] == 1
    assert found.low < found.ledger <= found.high


def test_prices_are_exact() -> None:
    """The cost of a price that no float holds is rounded up once, to the nano-dollar."""
    tariff = Tariff({"input": "0.0375", "output": "0.0001", "request": "0.002"})
    assert tariff.cost({"input": 1}) == 38 + 2_000_000
    assert tariff.cost({"input": 4, "cache_read": 4, "output": 1}) == 301 + 2_000_000  # 300.1


def test_an_overspent_budget_is_told() -> None:
    """By how much; whether that is a mistake is for others to say."""
    case = honest()
    case.books.limits[7]["amount"] = 1_000_000
    found = case.audit()
    assert found.problems == [] and found.over == {(7, MONTH): found.ledger - 1_000_000}


def _row(number: int, **change: Any) -> Callable[[Case], None]:
    return lambda case: case.books.entries[number].update(change)


def _drop(case: Case) -> None:
    case.books.entries.pop(0)


def _unasked(case: Case) -> None:
    case.statement.asked["n3"] = [{"call": 3, "nonce": "n3", "body_bytes": 9, "at_ns": 1}]


def _twice(case: Case) -> None:
    case.books.entries.append(case.books.entries[0])


def _account(case: Case) -> None:
    case.books.accounts[7, MONTH] += 1


def _stranger(case: Case) -> None:
    case.books.accounts[8, 0] = 5


def _hours(case: Case) -> None:
    case.books.hours[0]["cost"] -= 1


def _window_before(case: Case) -> None:
    before = window_of("month", MONTH - 1)
    case.books.charges[1] = [(7, before)]
    case.books.accounts = {(7, before): case.books.accounts[7, MONTH]}


def _statement(case: Case) -> None:
    case.statement.outcomes[1]["tokens"] = 3


def _unsound(case: Case) -> None:
    case.books.integrity = "row missing"


MISTAKES: dict[str, tuple[Callable[[Case], None], str]] = {
    "a call seen whole has no row": (_drop, "seen whole"),
    "a request without a row": (_unasked, "asked 1 times"),
    "a row twice": (_twice, "twice in the ledger"),
    "a row that does not say complete": (_row(0, status="truncated", estimated=1), "seen whole"),
    "one nano-dollar too much": (_row(0, cost=600_001), "its tokens 600000"),
    "nothing for a priced model": (_row(0, cost=0), "its tokens 600000"),
    "no cost for a priced model": (_row(0, cost=None), "its tokens 600000"),
    "a price without a version": (_row(0, price_version=""), "without the version"),
    "a cost without tokens": (_row(1, input=0, output=0), "for no tokens"),
    "fewer tokens than upstream counted": (_row(0, output=1, cost=525_000), "costs 525000, not 600000"),
    "more pieces than the row has": (_statement, "not 675000 to 675000"),
    "a part that is not flagged": (_row(1, estimated=0), "costs 870000"),
    "a part beyond what was sent": (_row(1, output=7, cost=1_020_000), "costs 1020000"),
    "a part below what was seen": (_row(1, output=1, input=20, cost=375_000), "costs 375000"),
    "a cost for what upstream refused": (_row(1, status="refused"), "not 0 to 0"),
    "a cost for what was never sent": (_row(1, dispatched=0), "not 0 to 0"),
    "a price nobody has set": (_row(1, model="other"), "has no price"),
    "an account that has more than its rows": (_account, "posted"),
    "an account that nobody charged": (_stranger, "account (8, 0)"),
    "hours with less than their rows": (_hours, "the hours say"),
    "a charge to last month": (_window_before, "is charged to the month"),
    "a charge to a set that is not there": (_row(0, charge=5), "does not exist"),
    "tokens below zero": (_row(0, cache_read=-1), "below zero"),
    "a database that is not sound": (_unsound, "integrity_check"),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake(name: str) -> None:
    """It is found, and told in words that name it."""
    change, words = MISTAKES[name]
    case = honest()
    change(case)
    problems = case.audit().problems
    assert any(words in problem for problem in problems), problems


def test_books_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    """What the store writes is what the accountant reads, while the store is open too."""
    store = SqliteStore.open(tmp_path / "encke.db")
    accounts = msgspec.Raw(msgspec.msgpack.encode([[7, MONTH]]))
    entry = Entry(
        *("c1", 1, "k", "chat", "lab/m", "lab", "m", "complete", "stop", 200, True, True, NOON, NOON, 1, 1),
        *(Usage(input=30, output=2), 600_000, "v", 100, "n1"),
        accounts=accounts,
    )
    store.append([entry])
    log = tmp_path / "upstream.jsonl"
    log.write_text(
        '{"type":"received","call":1,"method":"POST","nonce":"n1","body_bytes":99,"at_ns":1}\n'
        '{"type":"outcome","call":1,"prompt_tokens":30,"tokens":2}\n{"type":"outc'
    )
    books = read_books(tmp_path / "encke.db")
    books.limits[7] = LIMIT
    assert audit(read_statement(log), books, PRICES, []).problems == []
    assert books.accounts == {(7, MONTH): 600_000} and books.hours[0]["cost"] == 600_000
    assert conserved(tmp_path / "encke.db", rest=True) == []
    store.close()
    for change, words in {
        "UPDATE entries SET cost = cost + 1": "by its entries",
        "UPDATE hours SET cost = cost + 2": "the hours say",
        "INSERT INTO accounts VALUES (9, 0, 5)": "account (9, 0)",
        "INSERT INTO leases VALUES (1, 7, 0, 5, 4)": "a lease is left",
    }.items():
        db = sqlite3.connect(tmp_path / "encke.db")
        db.execute(change)
        db.commit()
        db.close()
        assert any(words in problem for problem in conserved(tmp_path / "encke.db", rest=True)), words


def test_leases_that_are_left() -> None:
    """At rest none is out there; one that is spent is no lease."""
    case = honest()
    assert at_rest(case.books) == []
    case.books.leases = [{"epoch": 1, "limit_id": 7, "window": MONTH, "granted": 5, "posted": 5}]
    assert at_rest(case.books) == []
    case.books.leases[0]["granted"] = 6
    assert len(at_rest(case.books)) == 1


@pytest.mark.parametrize(
    ("period", "first"),
    [("day", 1_795_392_000_000), ("week", 1_795_392_000_000), ("month", MONTH), ("total", 0), ("credit", 0)],
)
def test_windows(period: str, first: int) -> None:
    """The 23rd of November 2026 is a Monday."""
    assert window_of(period, NOON) == first
