"""The checker sees what is wrong: each kind of mistake, put into accounts that agree."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from encke.store.sqlite import SqliteStore
from tests.durability.checker import Verdict, check, read

SEEN = {"nonce": "n1", "stream": True, "status": 200, "call": "c1", "end": "whole", "content": 14, "at": 2000}
ASKED = {"type": "received", "call": 1, "nonce": "n1"}
OUTCOME = {"type": "outcome", "call": 1, "tokens": 2, "prompt_tokens": 30, "ended": "completed"}
ENTRY = {
    "call": "c1", "attempt": 1, "key": "k", "route": "chat", "asked": "m", "provider": "lab", "model": "m",
    "status": "complete", "reason": "", "http_status": 200, "stream": 1, "final": 1, "started": 1000,
    "dispatched": 1000, "first_us": 1, "total_us": 1, "input": 30, "cache_read": 0, "cache_write_5m": 0,
    "cache_write_1h": 0, "audio_input": 0, "output": 2, "reasoning": 0, "audio_output": 0, "estimated": 0,
    "cost": None, "price_version": "", "received": 100, "client_request_id": "n1",
}  # fmt: skip
# token:n1 and n1.1 with a space: 8 and 5 bytes, the third 5 again; as tokens 5 (13 bytes) and 6 (18).
ORPHAN = {**ENTRY, "status": "orphan", "estimated": 1, "output": 5}
LEFT = {**SEEN, "end": "broken", "content": 13}


def verdict(
    folder: Path,
    seen: list[dict[str, Any]] | None = None,
    upstream: list[dict[str, Any]] | None = None,
    entries: list[dict[str, Any]] | None = None,
) -> Verdict:
    """The checker's, on such accounts; what is not given is as it should be."""
    crowd, statement, store = folder / "crowd", folder / "statement", folder / "encke.db"
    crowd.write_text("".join(json.dumps(one) + "\n" for one in ([SEEN] if seen is None else seen)))
    lines = [ASKED, OUTCOME] if upstream is None else upstream
    statement.write_text("".join(json.dumps(one) + "\n" for one in lines))
    SqliteStore.open(store).close()
    db = sqlite3.connect(store)
    for entry in [ENTRY] if entries is None else entries:
        columns = ", ".join(entry)
        db.execute(f"INSERT INTO entries ({columns}) VALUES ({', '.join('?' * len(entry))})", list(entry.values()))  # noqa: S608
    db.commit()
    db.close()
    return check(read(crowd, statement, store))


def test_accounts_that_agree(tmp_path: Path) -> None:
    """Nothing is found, and everything counted."""
    found = verdict(tmp_path)
    assert found.problems == []
    assert found.counts == {"calls": 1, "asked of upstream": 1, "entries": 1, "seen whole": 1, "entries complete": 1}


def test_an_orphan_within_an_event(tmp_path: Path) -> None:
    """What the caller saw, up to what upstream sent and one piece more; the time until it was settled is told."""
    for output in (5, 6):
        (tmp_path / str(output)).mkdir()
        entry = {**ORPHAN, "output": output, "total_us": 1_500_000}
        found = verdict(tmp_path / str(output), [LEFT], None, [entry])
        assert found.problems == [] and found.settled_after_ms == [500]


@pytest.mark.parametrize(
    ("accounts", "problem"),
    [
        ({"entries": []}, "seen whole by its caller, and in the ledger as []"),
        ({"entries": [{**ENTRY, "status": "orphan"}]}, "in the ledger as ['orphan']"),
        ({"entries": [{**ENTRY, "call": "c2"}]}, "in the ledger as ['complete']"),
        ({"seen": [LEFT], "entries": []}, "asked 1 times of upstream, 0 entries"),
        ({"entries": [ENTRY, {**ENTRY, "attempt": 2}]}, "two final entries: c1"),
        ({"entries": [ENTRY, {**ENTRY, "attempt": 2, "final": 0}]}, "2 entries, 0 of them doubtful, for 1 requests"),
        ({"upstream": []}, "1 entries, 0 of them doubtful, for 0 requests"),
        ({"upstream": [ASKED, ASKED, OUTCOME]}, "asked 2 times of upstream, 1 entries"),
        ({"entries": [{**ENTRY, "output": 3}]}, "(30, 3) tokens in the ledger, (30, 2) in the statement"),
        ({"upstream": [ASKED]}, "complete in the ledger, and not over for upstream"),
        ({"seen": []}, "nobody made this call"),
        ({"seen": [{**SEEN, "status": 401, "end": "error"}]}, "the caller got 401"),
        ({"seen": [LEFT], "entries": [{**ORPHAN, "output": 4}]}, "billed 4 tokens, not 5 to 6"),
        ({"seen": [LEFT], "entries": [{**ORPHAN, "output": 7}]}, "billed 7 tokens, not 5 to 6"),
        ({"seen": [LEFT], "entries": [ORPHAN], "upstream": []}, "never seen is billed for output"),
        ({"seen": [LEFT], "entries": [{**ORPHAN, "estimated": 0}]}, "usage is not what upstream told"),
        ({"seen": [LEFT], "entries": [{**ORPHAN, "stream": 0, "output": 40}]}, "billed for more than it received"),
    ],
)
def test_a_mistake_is_found(tmp_path: Path, accounts: dict[str, list[dict[str, Any]]], problem: str) -> None:
    """By its name."""
    assert any(problem in found for found in verdict(tmp_path, **accounts).problems)


def test_a_damaged_store_is_found(tmp_path: Path) -> None:
    """By SQLite's own check."""
    many = [{**ENTRY, "call": f"c{number}", "client_request_id": f"n{number}"} for number in range(200)]
    verdict(tmp_path, entries=many)
    path = tmp_path / "encke.db"
    data = bytearray(path.read_bytes())
    data[-4096 * 3 : -4096 * 2] = bytes(4096)
    path.write_bytes(bytes(data))
    try:
        found = check(read(tmp_path / "crowd", tmp_path / "statement", path)).problems
    except sqlite3.DatabaseError:
        return
    assert any("integrity_check" in one for one in found)
