"""Reports: what the contract does not say of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.ledger import HOUR_MS, fill

from encke.ledger.entry import Entry
from encke.store.sqlite import SqliteStore
from tests.conftest import Count, Size
from tests.store.contract import MIDNIGHT, entry, key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    store = SqliteStore.open(tmp_path / "encke.db")
    yield store
    store.close()


def tagged(store: SqliteStore, table: str, tags: str) -> None:
    """Give everything of a level these tags."""
    store._db.execute(f"UPDATE {table} SET rules = ?", (f'{{"tags": [{tags}]}}',))  # noqa: S608


def test_tags(store: SqliteStore) -> None:
    """A call counts for every tag of its key, its project and its organisation, for each once."""
    store.add_key(*key(1))
    tagged(store, "keys", '"a", "b"')
    store.append([entry(), entry(), entry(key="other")])
    assert calls(store) == {"a": 2, "b": 2, "": 1}
    tagged(store, "projects", '"b", "web"')
    assert calls(store) == {"a": 2, "b": 3, "web": 3}
    tagged(store, "organisations", '"acme"')
    assert calls(store) == {"a": 2, "b": 3, "web": 3, "acme": 3}


def calls(store: SqliteStore) -> dict[str, int]:
    """Calls by tag."""
    return {row.group: row.calls for row in store.usage(0, 2**60, "tag")}


def test_a_call_without_a_last_attempt(store: SqliteStore) -> None:
    """A worker that died between two attempts leaves a call that no provider's line has, and the sums have."""
    store.append([entry(status="refused", final=False), entry()])
    assert store.usage(0, 2**60)[0].calls == store.usage(0, 2**60, "model")[0].calls == 2
    assert [row.calls for row in store.usage(0, 2**60, "provider")] == [1]


def test_long_ranges_read_no_entries(store: SqliteStore) -> None:
    """Whole hours are never added up from entries, which may be many; nor is an hour that lies within as far as there
    are any."""
    entries: list[Entry] = [entry(started=MIDNIGHT + number) for number in range(1000)]
    store.append(entries)
    store._db.execute("UPDATE entries SET input = input + 1")
    told = [store.usage(MIDNIGHT - 5, MIDNIGHT + end)[0].input for end in (999, 1000, HOUR_MS)]
    assert told == [999 * 133, 1000 * 132, 1000 * 132]


def test_large(tmp_path: Path, size: Size, count: Count) -> None:
    """200,000 entries of a month (3,000,000 with --soak) are reported from their sums, and verified; each takes less
    than 512 bytes, indexes and sums included."""
    many = size(200_000, soak=3_000_000)
    now = time.time_ns() // 1_000_000
    fill(tmp_path / "encke.db", many, now)
    store = SqliteStore.open_read_only(tmp_path / "encke.db")
    began = time.perf_counter()
    rows = store.usage(now - 30 * 24 * HOUR_MS, now + 1, "model")
    took = time.perf_counter() - began
    (total,) = store.usage(0, 2**60)
    began = time.perf_counter()
    verdict = store.verify(now, lambda done, most: None)
    verifying = time.perf_counter() - began
    store.close()
    assert verdict.ok, verdict
    each = (tmp_path / "encke.db").stat().st_size / verdict.entries
    assert each < 512
    assert total.calls == many and 0.9 * many < sum(row.calls for row in rows) < many
    count(f"ledger: {many} entries of 31 days, usage of 30 by model in {took * 1000:.0f} ms")
    count(f"ledger: {verdict.entries / verifying:,.0f} entries verified per second, {each:.0f} bytes of disk for each")
