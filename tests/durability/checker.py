"""Do three accounts of the same calls agree? What callers saw, the upstream's bank statement, and the ledger.

    python -m tests.durability.checker CROWD.jsonl UPSTREAM.jsonl encke.db

Imports nothing of Encke, nor anything that Encke imports: a mistake of ours must not be made here once more.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# A row with one of these may stand for a request that the upstream never got: recorded, and not sent.
MAYBE_NOT_SENT = {"orphan", "uncertain", "failed", "client_closed"}
BYTES_PER_TOKEN = 3

_ROWS = """SELECT call, attempt, status, final, dispatched, stream, started, total_us, received, estimated,
    input + cache_read + cache_write_5m + cache_write_1h + audio_input AS input,
    output + reasoning + audio_output AS output, client_request_id AS nonce FROM entries"""

Row = dict[str, Any]


@dataclass
class Accounts:
    """All three, by nonce."""

    seen: dict[str, Row]
    asked: dict[str, list[Row]]  # requests that upstream received
    outcomes: dict[int, Row]  # by upstream's number of the call
    rows: dict[str, list[Row]]
    integrity: str


@dataclass
class Verdict:
    """`problems` is what does not agree; the rest is counted."""

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    settled_after_ms: list[int] = field(default_factory=list)  # orphans: from the caller's loss to the settlement

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        slowest = max(self.settled_after_ms, default=0)
        return f"{counted}, orphans settled within {slowest} ms; {len(self.problems)} problems"


def read(crowd: Path, upstream: Path, store: Path) -> Accounts:
    """The accounts as they stand in their files."""
    asked: dict[str, list[Row]] = defaultdict(list)
    outcomes: dict[int, Row] = {}
    for one in _lines(upstream):
        if one["type"] == "received" and one.get("nonce"):
            asked[one["nonce"]].append(one)
        elif one["type"] == "outcome":
            outcomes[one["call"]] = one
    rows: dict[str, list[Row]] = defaultdict(list)
    db = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        db.row_factory = sqlite3.Row
        for row in db.execute(_ROWS):
            rows[row["nonce"]].append(dict(row))
        integrity = "; ".join(str(row[0]) for row in db.execute("PRAGMA integrity_check"))
    finally:
        db.close()
    return Accounts({one["nonce"]: one for one in _lines(crowd)}, asked, outcomes, rows, integrity)


def check(accounts: Accounts) -> Verdict:
    """Compare them."""
    verdict = Verdict()
    if accounts.integrity != "ok":
        verdict.problems.append(f"integrity_check: {accounts.integrity}")
    verdict.problems += _duplicates(accounts)
    for nonce in accounts.seen.keys() | accounts.asked.keys() | accounts.rows.keys():
        for problem in _one(accounts, nonce, verdict):
            verdict.problems.append(f"{nonce}: {problem}")
    verdict.counts["calls"] = len(accounts.seen)
    verdict.counts["asked of upstream"] = sum(map(len, accounts.asked.values()))
    verdict.counts["entries"] = sum(map(len, accounts.rows.values()))
    return verdict


def _duplicates(accounts: Accounts) -> Iterator[str]:
    rows = [row for found in accounts.rows.values() for row in found]
    attempts = Counter((row["call"], row["attempt"]) for row in rows)
    yield from (f"twice in the ledger: {key}" for key, count in attempts.items() if count > 1)
    finals = Counter(row["call"] for row in rows if row["final"])
    yield from (f"two final entries: {call}" for call, count in finals.items() if count > 1)


def _one(accounts: Accounts, nonce: str, verdict: Verdict) -> Iterator[str]:
    seen, asked, rows = accounts.seen.get(nonce), accounts.asked.get(nonce, []), accounts.rows.get(nonce, [])
    if seen is None:
        yield "nobody made this call"
        return
    verdict.counts[f"seen {seen['end']}"] += 1
    if seen["status"] not in (None, 200, 503):
        yield f"the caller got {seen['status']}"
    if seen["end"] == "whole" and [row["status"] for row in rows if row["call"] == seen["call"] and row["final"]] != [
        "complete"
    ]:
        yield f"seen whole by its caller, and in the ledger as {[row['status'] for row in rows]}"
    sent = [row for row in rows if row["attempt"] and row["dispatched"]]
    if len(asked) > len(sent):
        yield f"asked {len(asked)} times of upstream, {len(sent)} entries"
    doubtful = [row for row in sent if row["status"] in MAYBE_NOT_SENT]
    if len(sent) - len(asked) > len(doubtful):
        yield f"{len(sent)} entries, {len(doubtful)} of them doubtful, for {len(asked)} requests to upstream"
    for row in rows:
        verdict.counts[f"entries {row['status']}"] += 1
        if row["status"] == "orphan":
            yield from _orphan(accounts, row, seen, asked, verdict)
        elif row["status"] == "complete" and len(asked) == 1:
            yield from _complete(row, accounts.outcomes.get(asked[0]["call"]))


def _complete(row: Row, outcome: Row | None) -> Iterator[str]:
    """What upstream counted is what was recorded, to the token."""
    if outcome is None:
        yield "complete in the ledger, and not over for upstream"
    elif (row["input"], row["output"]) != (outcome["prompt_tokens"], outcome["tokens"]):
        told = (outcome["prompt_tokens"], outcome["tokens"])
        yield f"{(row['input'], row['output'])} tokens in the ledger, {told} in the statement"


def _orphan(accounts: Accounts, row: Row, seen: Row, asked: list[Row], verdict: Verdict) -> Iterator[str]:
    """Not less than what its caller saw, nor more than what upstream sent, which counts a piece when it is gone: so
    with the one that was under way."""
    if row["call"] == seen["call"] and seen["end"] != "whole":
        verdict.settled_after_ms.append(max(row["started"] + row["total_us"] // 1000 - seen["at"], 0))
    if len(asked) > 1:
        return  # it was tried again: which of them is which is nobody's knowledge
    if not asked:
        if row["output"]:
            yield "an orphan that upstream has never seen is billed for output"
        return
    outcome = accounts.outcomes.get(asked[0]["call"])
    pieces = outcome["tokens"] + 1 if outcome is not None else 1 << 30
    most = _content(row["nonce"], pieces)
    least = seen["content"] if row["call"] == seen["call"] else 0
    if not row["estimated"]:
        verdict.counts["orphans with usage"] += 1  # the count had come: all of it had
        if outcome is not None and (row["input"], row["output"]) != (outcome["prompt_tokens"], outcome["tokens"]):
            yield "an orphan's usage is not what upstream told"
    elif not row["stream"]:
        # A whole answer is measured by its bytes, JSON and all, and only if it did not come at once.
        if row["output"] > _tokens(row["received"]):
            yield "an orphan is billed for more than it received"
    else:
        verdict.counts["orphans billed within an event"] += 1
        if not _tokens(least) <= row["output"] <= _tokens(most):
            yield f"an orphan is billed {row['output']} tokens, not {_tokens(least)} to {_tokens(most)}"


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def _content(nonce: str, pieces: int) -> int:
    """Bytes in that many pieces of an answer: the upstream begins with the nonce and repeats it."""
    if pieces > 10_000:
        return 1 << 40
    return sum(len(f"token:{nonce}") if not number else len(f" {nonce}.{number}") for number in range(pieces))


def _lines(path: Path) -> Iterator[Row]:
    with path.open() as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def main() -> None:
    """Print the verdict; status 1 if there are problems."""
    verdict = check(read(*map(Path, sys.argv[1:4])))
    print(verdict)
    for problem in verdict.problems[:50]:
        print(" ", problem)
    sys.exit(bool(verdict.problems))


if __name__ == "__main__":
    main()
