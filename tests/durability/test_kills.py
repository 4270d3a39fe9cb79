"""SIGKILL of every process, at random moments, under load: the accounts agree afterwards."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.conftest import Count, Size
from tests.durability.siege import Siege

# How often each, of so many kills.
SHARES = {"worker": 28, "keeper": 14, "both": 8, "supervisor": 5, "all": 5}


def test_killed_at_random(tmp_path: Path, size: Size, count: Count) -> None:
    """60 kills (500 with --soak) of workers, keeper, supervisor and all at once, with 200 streams and 4 workers: no
    call that a caller saw whole is without its complete entry, none is there twice, every request to upstream has its
    entry, orphans are billed within one event of what was received, the database is sound, and the money adds up."""
    rounds = size(1, soak=9)
    rng = random.Random(2026)
    plan = [what for what, share in SHARES.items() for _ in range(share * rounds)]
    rng.shuffle(plan)
    with Siege(tmp_path, size(120, soak=200), 4, money=True) as siege:
        siege.wait_for_calls(50)
        for what in plan:
            siege.kill(what, rng)
            time.sleep(rng.uniform(0.05, 0.6))
            if what in ("supervisor", "all"):
                siege.wait_for_calls()
        siege.wait_for_calls(50)
        verdict = siege.finish()
    count(f"kills: {sum(siege.kills.values())} ({dict(siege.kills)}): {verdict}")
    count(f"kills, money: {siege.account}")
    assert verdict.problems == []
    assert verdict.counts["entries orphan"] > len(plan) // 4
    assert verdict.counts["orphans billed within an event"] > len(plan) // 4
    # Within five seconds of the restart; how long that takes itself is the machine's affair.
    assert max(verdict.settled_after_ms) < 25_000
