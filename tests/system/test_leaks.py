"""Nothing is left behind: after tens of thousands of calls, many of them cancelled or failed, every process holds what
it held before.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.census import Census, census_environ, descriptors, take_census
from tests.support.client import chat
from tests.support.crowd import Mix, crowd
from tests.support.gateway import Gateway, lab

SLOTS = 64  # connections to the upstream
SEGMENT = 1 << 20
MIB = 1 << 20
SQLITE = 72 * MIB  # its cache fills up to 64 MiB (`encke.store.opening`), and then no more
# Without labels: the heads that a worker remembers, a thousand at most, would otherwise drown what is looked for.
MIX = Mix(left=0.14, fault=0.12, labels=False)
ROLES = ("worker", "keeper", "supervisor")


class Site:
    """A gateway with one worker, whose every call counts, and journals so small that they are changed often; and a fake
    upstream with an interpreter of its own, which can be away for a while.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.upstream = UpstreamProcess(folder / "upstream")
        settings = {
            **lab(self.upstream.url, max_connections=SLOTS), "local": {"enabled": False}, "server": {"workers": 1},
            "log": {"access": str(folder / "access.log")}, "store": {"journal_segment": SEGMENT},
            "routing": {"breaker": "off", "retries": 1},
        }  # fmt: skip
        self.gateway = Gateway(folder / "gateway", settings, env=census_environ(folder / "census"))

    def census(self) -> dict[str, Census]:
        """Each process's, once what was open is closed: the upstream is away meanwhile, and with it its connections."""
        port = self.upstream.port
        self.upstream.stop()
        worker, seen, same = self.gateway.pids("worker")[0], -1, 0
        for _ in range(100):  # callers that left are noticed, entries shipped
            now = len(descriptors(worker))
            seen, same = now, same + 1 if now == seen else 0
            if same == 10:
                break
            time.sleep(0.1)
        found = {role: take_census(pid, self._folder / "census") for role, pid in pids(self.gateway).items()}
        self.upstream = UpstreamProcess(self._folder / "upstream", port=port)
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The gateway and its upstream."""
    made = Site(tmp_path)
    with made.gateway:
        yield made
    made.upstream.stop()


def pids(gateway: Gateway) -> dict[str, int]:
    """The three processes."""
    return {role: gateway.pids(role)[0] for role in ROLES}


def open_kinds(census: Census) -> Counter[str]:
    """What a process has open, without numbers. Segments of the journal come and go; they are counted elsewhere."""
    names = (name.rpartition("/")[2] for name in census.descriptors.values() if not name.endswith(".seg"))
    return Counter(re.sub(r"[0-9]+", "#", name) for name in names)


def test_nothing_is_left_behind(site: Site, size: Size, count: Count) -> None:
    """20,000 calls after 2,000, a fifth of them left or failed: memory, objects, tasks, descriptors, connections."""
    gateway = site.gateway
    calls, warm = size(20_000, soak=200_000), size(2_000, soak=20_000)
    crowd(gateway.port, gateway.key, warm, mix=MIX, seed=1)
    before = site.census()
    tally = crowd(gateway.port, gateway.key, calls, mix=MIX, seed=2)
    after = site.census()
    count(f"leaks: {tally}")
    assert tally.foreign == [] and tally.odd == []
    assert tally.left > calls * 0.05 and tally.statuses["200"] > calls * 0.6
    for role in ROLES:
        was, now = before[role], after[role]
        grown = now.anonymous - was.anonymous - (now.sqlite - was.sqlite)
        blocks, objects = now.blocks - was.blocks, now.objects - was.objects
        count(
            f"leaks: {role}: {was.anonymous // 1024} KiB anonymous {grown / MIB:+.2f} MiB, SQLite "
            f"{was.sqlite >> 10} KiB {(now.sqlite - was.sqlite) / MIB:+.2f} MiB, {blocks:+} blocks, "
            f"{objects:+} objects, {now.tasks - was.tasks:+} tasks, {len(was.descriptors)} descriptors"
        )
        assert now.sqlite <= SQLITE, role
        assert grown <= max(10 * MIB, was.anonymous // 50), (role, now.more_than(was))
        # One object for every twenty calls would be seen.
        assert objects <= calls // 20 and blocks <= calls // 10, (role, now.more_than(was))
        assert now.tasks == was.tasks, (role, now.more_than(was))
        assert open_kinds(now) == open_kinds(was), role
    _all_slots_are_back(gateway)
    _journals_are_removed(gateway, count)


def _all_slots_are_back(gateway: Gateway) -> None:
    """As many calls as there are connections to the upstream can still be open at once."""
    body = chat('token:slots behave: {"name": "slow_chunks", "chunks": 400, "interval": 0.05}', "lab/m", stream=True)
    clients = [gateway.client(timeout=30) for _ in range(SLOTS)]
    for client in clients:
        client.request("POST", "/v1/chat/completions", body, key=gateway.key)
    for client in clients:
        head = client.read_head()
        events = client.events(head)
        assert head.status == 200 and "token:slots" in next(events) + next(events)
    for client in clients:
        client.reset()


def _journals_are_removed(gateway: Gateway, count: Count) -> None:
    """The journal is as small as at the start, however much went through it."""
    folder = gateway.data / "journal"

    def segments() -> list[Path]:
        return list(folder.rglob("*.seg"))

    gateway.wait_for(lambda: len(segments()) <= 6, 30, "the journals' segments stay")
    numbers = [int(path.stem.partition("-")[2]) for path in segments()]
    assert max(numbers) > 6
    count(f"leaks: {len(numbers)} journal segments of {SEGMENT >> 20} MiB are left of {max(numbers)}")
