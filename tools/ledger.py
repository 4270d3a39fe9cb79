"""Fill a store with entries like real ones and measure what reports and checks of it take.

    python -m tools.ledger 10000000 /var/tmp/large

Not a part of `make ci` at that size. The folder is made, and is the caller's to remove.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.ledger.entry import NOTHING, Entry
from encke.store.sqlite import SqliteStore

HOUR_MS: Final = 3_600_000
DAYS: Final = 31
BATCH: Final = 1000

# Who calls what: 200 keys of 20 projects, each with three of twelve models.
_KEYS: Final = [f"K{number:011d}" for number in range(200)]
_MODELS: Final = [
    *(("openai", f"gpt-5-{size}-2026-08-07") for size in ("nano", "mini", "large", "codex")),
    *(("anthropic", f"claude-{name}-4-6-20260217") for name in ("haiku", "sonnet", "opus")),
    *(("gemini", f"gemini-3-{name}-preview") for name in ("flash", "pro")),
    *(("groq", f"openai/gpt-oss-{size}b") for size in (20, 120)),
    ("local", "qwen2.5-coder-0.5b"),
]
_ENDS: Final = [
    *([("complete", "stop", 200)] * 90),
    *([("complete", "length", 200)] * 4),
    *([("client_closed", "", 200)] * 3),
    ("truncated", "upstream_idle", 200),
]
_PRICE: Final = "2026-10-01/builtin"


def entries(count: int, end_ms: int, seed: int = 1) -> Iterator[list[Entry]]:
    """Batches of `count` entries in all, received in the `DAYS` before `end_ms`; one call in fifty fails over."""
    rng = random.Random(seed)
    begin = end_ms - DAYS * 24 * HOUR_MS
    batch: list[Entry] = []
    for number in range(count):
        at = begin + (end_ms - begin) * number // count
        batch.append(_entry(rng, number, at))
        if number % 50 == 0:  # the first attempt of the one before it
            batch.append(_failed(batch[-1]))
            batch[-2] = msgspec.structs.replace(batch[-2], attempt=2)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _entry(rng: random.Random, number: int, at: int) -> Entry:
    which = min(int(rng.expovariate(1 / 40)), len(_KEYS) - 1)
    provider, model = _MODELS[(which * 7 + rng.randrange(3)) % len(_MODELS)]
    status, reason, http_status = _ENDS[rng.randrange(len(_ENDS))]
    text = at.to_bytes(6, "big").hex()
    cached = rng.randrange(3000) if rng.random() < 0.4 else 0
    free = provider == "local"
    project = which % 20 + 1
    month = begin_of_month(at)
    return Entry(
        call=f"{text[:8]}-{text[8:]}-7d3a-9f00-{number:012x}",
        attempt=1,
        key=_KEYS[which],
        route="chat",
        asked=model if number % 3 else f"{provider}/{model}",
        provider=provider,
        model=model,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        http_status=http_status,
        stream=number % 2 == 0,
        final=True,
        started=at,
        dispatched=at + 3,
        first_us=rng.randrange(200_000, 2_000_000),
        total_us=rng.randrange(2_000_000, 40_000_000),
        usage=Usage(input=rng.randrange(50, 20_000), cache_read=cached, output=rng.randrange(1, 2000)),
        cost=0 if free else rng.randrange(10_000, 90_000_000),
        price_version="free" if free else _PRICE,
        received=rng.randrange(300, 400_000),
        client_request_id=f"req-{number:x}" if number % 4 == 0 else "",
        credential="",
        project=project,
        accounts=NOTHING if free else _accounts(which, project, month),
    )


_charges: dict[tuple[int, int], msgspec.Raw] = {}


def _accounts(which: int, project: int, month: int) -> msgspec.Raw:
    """A key's monthly budget, its project's and the organisation's total."""
    known = _charges.get((which, month))
    if known is None:
        packed = msgspec.msgpack.encode([(which + 100, month), (project, month), (99, 0)])
        known = _charges[which, month] = msgspec.Raw(packed)
    return known


def begin_of_month(ms: int) -> int:
    """The first millisecond of its month, UTC."""
    day = time.gmtime(ms // 1000)
    return (ms // (24 * HOUR_MS) - day.tm_mday + 1) * 24 * HOUR_MS


def _failed(one: Entry) -> Entry:
    return msgspec.structs.replace(
        one, status="refused", reason="upstream_rate_limit", http_status=429, final=False, usage=Usage(), cost=0
    )


def fill(path: Path, count: int, end_ms: int) -> float:
    """A store with so many entries; the CPU seconds that adding them took."""
    store = SqliteStore.open(path, check=False)
    store._db.execute("PRAGMA synchronous = OFF")
    spent = 0.0
    for number, batch in enumerate(entries(count, end_ms)):
        began = time.process_time()
        store.append(batch)
        if number % 20 == 0:
            store.checkpoint_idle()
        spent += time.process_time() - began
    store.close()
    return spent


def main(count: int, folder: Path) -> None:
    """Fill, unless that has been done, and measure."""
    folder.mkdir(parents=True, exist_ok=True)
    path, now = folder / "encke.db", time.time_ns() // 1_000_000
    if not path.exists():
        spent = fill(path, count, now)
        print(f"filled: {spent / count * 1e6:.2f} us of CPU per entry")
    print(f"size: {os.stat(path).st_size / count:.0f} bytes per entry, indexes and sums included")
    store = SqliteStore.open_read_only(path)
    for by in (None, "day", "model", "key", "provider", "project", "tag"):
        began = time.perf_counter()
        rows = store.usage(now - 30 * 24 * HOUR_MS, now + 1, by)
        print(f"usage by {by}: {time.perf_counter() - began:.3f} s, {len(rows)} rows")
    began = time.perf_counter()
    verdict = store.verify(now, lambda done, most: None)
    took = time.perf_counter() - began
    print(f"verify: {verdict.entries / took:,.0f} entries/s, {'ok' if verdict.ok else verdict.checks}")
    store.close()
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
