"""Conservation: a ledger that is right is found right, and whatever is wrong in it is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.core.usage import Usage
from encke.store import verify as module
from encke.store.port import Verdict
from encke.store.sqlite import SqliteStore
from tests.store.contract import DAY, HOUR, MIDNIGHT, accounts, entry
from tests.store.test_posting import some


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    store = SqliteStore.open(tmp_path / "encke.db")
    yield store
    store.close()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces also of little."""
    monkeypatch.setattr(module, "CHUNK", 7)


def looked_at(store: SqliteStore, now: int = MIDNIGHT + 9 * DAY, integrity: bool = False) -> Verdict:
    """What is found."""
    return store.verify(now, lambda done, most: None, integrity)


def differences(store: SqliteStore) -> dict[str, list[str]]:
    """The checks that found something."""
    return {check.name: check.differences for check in looked_at(store).checks if check.found}


def filled(store: SqliteStore) -> SqliteStore:
    """Entries of two days, some of them charged, received in no order."""
    rng = random.Random(1)
    batch = [
        entry(
            started=MIDNIGHT + rng.randrange(2 * DAY),
            key=rng.choice("AB"),
            cost=rng.choice((3, 5, None)),
            accounts=rng.choice((accounts((1, 0)), accounts((1, 0), (2, MIDNIGHT)))),
        )
        for _ in range(300)
    ]
    store.append(batch)
    return store


def test_nothing(store: SqliteStore) -> None:
    """An empty ledger adds up."""
    verdict = looked_at(store, integrity=True)
    assert verdict.ok and (verdict.entries, verdict.cost, verdict.pruned) == (0, 0, 0)


def test_a_ledger_that_is_right(store: SqliteStore) -> None:
    """Entries of any kind, batch by batch, out of order and twice, add up; all of them are read."""
    rng = random.Random(2)
    for _ in range(20):
        one = some(rng)
        batch = [entry(started=one.started - rng.randrange(50) * HOUR, cost=9), *([one] if one.final else [])]
        store.append(batch)
        store.append(batch)
    told: list[tuple[int, int]] = []
    verdict = store.verify(MIDNIGHT, lambda done, most: told.append((done, most)), True)
    assert verdict.ok, verdict
    assert verdict.entries == store._db.execute("SELECT count(*) FROM entries").get == told[-1][0] == told[-1][1]
    assert verdict.cost == store.usage(0, 2**60)[0].cost and len(told) > 2


TAMPERING = {
    "UPDATE entries SET cost = cost + 1 WHERE rowid = 150 AND cost > 0 OR rowid = 151 AND cost > 0": (
        "sums by the hour",
        "accounts",
    ),
    "UPDATE entries SET output = 51 WHERE rowid = 7": ("sums by the hour",),
    "UPDATE entries SET key = 'C' WHERE rowid = 300": ("sums by the hour",),
    "UPDATE entries SET started = started + 3600000 WHERE rowid = 1": ("sums by the hour",),
    "UPDATE hours SET estimated = 1 WHERE rowid_of = 0": ("sums by the hour",),
    "DELETE FROM entries WHERE cost > 0 AND rowid < 10": ("sums by the hour", "accounts"),
    "DELETE FROM hours WHERE line = 1": ("sums by the hour",),
    "INSERT INTO hours SELECT hour + 99, line, calls, ended, failed, attempts, failed_attempts, priced, cost, unpriced,"
    "estimated, input, cache_read, cache_write_5m, cache_write_1h, audio_input, output, reasoning, audio_output,"
    "image_input, image_output FROM hours LIMIT 1": ("sums by the hour",),
    "UPDATE accounts SET posted = posted - 1 WHERE limit_id = 2": ("accounts",),
    "DELETE FROM accounts WHERE limit_id = 1": ("accounts",),
    "INSERT INTO accounts VALUES (3, 0, 1)": ("accounts",),
    "UPDATE entries SET charge = 1 WHERE charge = 2": ("accounts",),
    "DELETE FROM charges WHERE id = 1": ("accounts",),
    "UPDATE entries SET final = 1, attempt = 2 WHERE rowid = 1": ("sums by the hour",),
    "UPDATE entries SET call = (SELECT call FROM entries WHERE rowid = 2), attempt = 2 WHERE rowid = 1": (
        "sums by the hour",
        "one last attempt each",
    ),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_whatever_is_changed_is_found(store: SqliteStore, how: str) -> None:
    """Any one change of entries, sums or accounts is found, by the checks it concerns and by no other, and told with
    its figures."""
    filled(store)
    assert looked_at(store).ok
    store._db.execute("PRAGMA foreign_keys = OFF")
    store._db.execute(how.replace("rowid_of = 0", "hour = (SELECT min(hour) FROM hours)"))
    found = differences(store)
    assert tuple(found) == TAMPERING[how], found
    assert all(any(character.isdigit() for character in text) for texts in found.values() for text in texts)


def test_figures_are_told(store: SqliteStore) -> None:
    """A difference names the account or the hour, what is there and what is not, and only the first few are told."""
    filled(store)
    store._db.execute("UPDATE accounts SET posted = posted + 7 WHERE limit_id = 2")
    store._db.execute("UPDATE hours SET cost = cost + 1, calls = calls - 2")
    check, other = (check for check in looked_at(store).checks if check.found)
    assert check.found > 20 and len(check.differences) == 5
    assert "entries less sums are calls +2, cost -1" in check.differences[0] and "KEY" not in check.differences[0]
    assert other.found == 1 and f"limit 2, window {MIDNIGHT}: entries cost" in other.differences[0]
    assert other.differences[0].endswith("(+7)")


def test_used_and_priced_and_for_nothing(store: SqliteStore) -> None:
    """Tokens on a priced version that cost nothing are a difference; free ones are not, nor attempts that used none."""
    store.append(
        [entry(cost=0, price_version="free"), entry(cost=0, usage=Usage()), entry(cost=None, price_version="")]
    )
    assert looked_at(store).ok
    bad = entry(cost=0)
    store.append([bad])
    assert list(differences(store)) == ["cost of what was used"]
    assert bad.call in differences(store)["cost of what was used"][0]


def test_failures_have_a_reason(store: SqliteStore) -> None:
    """Whatever failed says why; who was served, or left, need not."""
    store.append([entry(reason=""), entry(reason="", status="client_closed"), entry(status="refused")])
    assert looked_at(store).ok
    for status in ("truncated", "refused", "failed", "uncertain", "rejected", "orphan"):
        store.append([entry(reason="", status=status)])
    (check,) = (check for check in looked_at(store).checks if check.found)
    assert (check.name, check.found, len(check.differences)) == ("a reason for every failure", 6, 5)
    assert check.differences[0].endswith("truncated, and no reason")


def test_calls_without_a_last_attempt(store: SqliteStore) -> None:
    """They are told with their cause and are no difference: some are under way, of others the worker died."""
    now = MIDNIGHT + DAY
    store.append([entry(final=False, status="refused"), entry(final=False, status="refused", started=now - 1000)])
    store.append([entry("both", 1, final=False, status="refused"), entry("both", 2)])
    verdict = looked_at(store, now)
    assert verdict.ok
    assert [note for check in verdict.checks for note in check.notes] == [
        "1 calls have no last attempt: under way",
        "1 calls have no last attempt: the worker died between two attempts",
    ]


def test_an_index_that_lacks_something(store: SqliteStore) -> None:
    """A row that an index does not have, so that it might be there twice, is found; and SQLite's own check says so."""
    filled(store)
    store._db.execute("PRAGMA writable_schema = ON")
    store._db.execute("UPDATE sqlite_schema SET sql = sql || ' WHERE started < 0' WHERE name = 'entries_started'")
    store._db.execute("PRAGMA writable_schema = RESET")
    store._db.execute("REINDEX entries_started")
    store._db.execute("PRAGMA writable_schema = ON")
    whole = "UPDATE sqlite_schema SET sql = replace(sql, ' WHERE started < 0', '') WHERE name = 'entries_started'"
    store._db.execute(whole)
    store._db.execute("PRAGMA writable_schema = RESET")
    names = [check.name for check in looked_at(store, integrity=True).checks if check.found]
    assert "the file" in names and "each attempt once" in names


def test_beside_the_writer(store: SqliteStore) -> None:
    """It is of one moment: what the writer adds in the middle of it is not in it, and is not kept waiting."""
    filled(store)
    reader = SqliteStore.open_read_only(store.path)
    added = 0

    def more(done: int, most: int) -> None:
        nonlocal added
        added += store.append([entry(cost=1, accounts=accounts((1, 0)))]).count

    verdict = reader.verify(MIDNIGHT, more)
    assert verdict.ok and verdict.entries == 300 and added > 10
    assert looked_at(store).ok and looked_at(store).entries == 300 + added
    reader.close()


def test_memory_is_bounded(store: SqliteStore) -> None:
    """Of hours that are over nothing is kept, also if there are many; entries that come late find theirs again."""
    many = [entry(started=MIDNIGHT + number * HOUR) for number in range(500)]
    many += [entry(started=MIDNIGHT + 3 * HOUR), entry(started=MIDNIGHT + 4)]
    store.append(many)
    reader = module._Reader(store._db)
    most = max(len(reader._left) for _ in reader.read())
    assert most < 30 and not reader._left
