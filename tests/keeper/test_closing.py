"""Leases of windows that are over, in the desk's memory and in the store."""

from __future__ import annotations

import pytest

from encke.keeper.closing import AT_ONCE, EVERY_MS, GRACE_MS
from encke.keys.grant import Limit
from encke.store.port import StoreError
from tests.keeper.desk_model import DAILY, DAY_MS, TOTAL, Worker, World
from tests.keeper.test_desk import world_of


def tomorrow(world: World) -> None:
    """The next day, at noon."""
    world.now += DAY_MS * 1000
    world.roll()


def spend(world: World, worker: Worker, amount: int, cost: int) -> None:
    """One call of today and of the total, to its end, in the store; what is left of it is given back."""
    keys = [(DAILY, world.window), (TOTAL, 0)]
    worker.begin(dict.fromkeys(keys, amount), 0)
    world.quiet()
    world.settle(worker, 0, cost)
    world.ship(worker, len(worker.journal))
    for key in keys:
        worker.give(key)
    world.quiet()


def test_rows_do_not_grow_with_the_days() -> None:
    """Thirty days, two workers, one keeper: in the end there are rows of what is open, and of nothing else."""
    world, workers = world_of(2)
    for _ in range(30):
        for worker in workers:
            spend(world, worker, 30, 20)
        tomorrow(world)
        world.tidy()
    assert sorted(world.store.leases()) == [(1, TOTAL, 0, 600, 600), (2, TOTAL, 0, 600, 600)]
    assert [world.desk.accounts.rows_of(worker.epoch) for worker in workers] == [[(TOTAL, 0)]] * 2
    assert world.store.posted(TOTAL, 0) == 1200


def test_a_call_that_runs_keeps_its_row() -> None:
    """What it holds of yesterday stays reserved until its entry is in the store."""
    world, (worker, _) = world_of(2)
    yesterday = (DAILY, world.window)
    worker.begin({yesterday: 30}, 0)
    world.quiet()
    tomorrow(world)
    world.tidy()
    assert world.store.leases() == [(1, *yesterday, 30, 0)]
    world.settle(worker, 0, 30)
    world.tidy()
    assert world.store.leases() == [(1, *yesterday, 30, 0)]
    world.ship(worker, 1)
    world.tidy()
    assert world.store.leases() == [] and world.store.posted(*yesterday) == 30


def test_an_entry_that_comes_late_is_counted() -> None:
    """Once, whether the desk remembers the account or has been started again; and its row goes with the next round, or
    with its worker."""
    world, (one, two) = world_of(2)
    yesterday = (DAILY, world.window)
    for worker in (one, two):
        spend(world, worker, 30, 30)
        worker.begin({yesterday: 0}, 0)  # holds nothing, costs something
    tomorrow(world)
    world.tidy()
    assert [row for row in world.store.leases() if row.window] == []
    for worker in (one, two):
        world.settle(worker, 0, 7)
        world.ship(worker, 1)
        assert (worker.epoch, *yesterday, 0, 7) in world.store.leases()
        assert world.store.posted(*yesterday) == world.desk.accounts.get(yesterday).posted
        world.start_keeper()
        for each in world.workers.values():
            world.connect(each)
    assert world.store.posted(*yesterday) == 74 and world.desk.accounts.get(yesterday).reserved == 0
    world.kill(two)
    world.bury(two, 0)
    assert [row.epoch for row in world.store.leases() if row.window] == [1]
    world.tidy()
    assert [row for row in world.store.leases() if row.window] == []


def test_who_spent_without_being_granted_anything_is_forgotten_with_its_journal() -> None:
    """Such a worker has a row, too: it is among those that are looked at."""
    world, (one, _) = world_of(2)
    key = (TOTAL, 0)
    one.free[key] = 0
    one.begin({key: 0}, 0)
    world.settle(one, 0, 5)
    world.ship(one, 1)
    assert world.store.leases() == [(1, *key, 0, 5)] and world.desk.accounts.epochs == [1]
    world.desk.gone(1)
    assert world.store.leases() == [] and world.desk.accounts.epochs == []


def test_a_limit_that_was_removed() -> None:
    """Its rows go, whatever its window; before any limit is known nothing is taken for removed."""
    world, (one, _) = world_of(2)
    spend(world, one, 30, 30)
    world.desk.use({}, [])
    world.tidy()
    assert len(world.store.leases()) == 2
    world.desk.use({DAILY: world.limits[DAILY]}, [TOTAL])
    world.tidy()
    assert world.store.leases() == [(1, DAILY, world.window, 30, 30)]


def test_some_at_a_time() -> None:
    """A step looks at so many rows and no more, and a round does not begin sooner than a minute after the last."""
    world, (one, _) = world_of(2)
    count = AT_ONCE + 500
    limits = {id: Limit(id, "budget", 10, "key", period="day") for id in range(10, 10 + count)}
    world.desk.use(limits, [])
    one.begin({(id, world.window): 1 for id in limits}, 0)
    world.quiet()
    for id in limits:
        one.give((id, world.window))
    one.calls.clear()
    for key in one.free:
        one.free[key] += 1
        one.give(key)
    world.quiet()
    tomorrow(world)
    world.now += GRACE_MS * 1000
    left = []
    for _ in range(4):
        world.desk.tidy()
        left.append(len(world.store.leases()))
    assert left == [count, 500, 0, 0]


def test_a_store_that_does_not_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Desk and store stay as they are, until another round."""
    world, (one, _) = world_of(2)
    spend(world, one, 30, 30)
    tomorrow(world)

    def fail(rows: object) -> None:
        raise StoreError("full")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "drop_leases", fail)
        world.tidy()
        world.now += EVERY_MS * 1000
        world.desk.tidy()
        with pytest.raises(StoreError):
            world.desk.tidy()
    assert len(world.store.leases()) == len(world.desk.accounts.rows_of(1)) == 2
    world.tidy()
    assert len(world.store.leases()) == len(world.desk.accounts.rows_of(1)) == 1
