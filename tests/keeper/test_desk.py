"""The lease desk, scene by scene: what it grants, what it says when it does not, whom it waits for, what it recalls."""

from __future__ import annotations

from typing import Any

import pytest

from encke.keys.grant import Limit
from encke.store.port import StoreError
from tests.keeper.desk_model import DAILY, DAY_MS, RATE, SLOTS, TOTAL, Worker, World

KEY = (TOTAL, 0)


def world_of(workers: int) -> tuple[World, list[Worker]]:
    """A desk with so many workers."""
    world = World()
    for epoch in range(1, workers + 1):
        world.connect(world.workers.setdefault(epoch, Worker(epoch)))
    return world, list(world.workers.values())


def said(world: World, worker: Worker) -> tuple[str, dict[str, Any]]:
    """The desk's next message to a worker."""
    assert worker.peer is not None
    while worker.peer.up:
        world.hear(worker.peer)
    if not worker.peer.down:
        world.desk.turn()
    kind, payload, _ = worker.peer.down[0]
    return kind, payload


def test_far_from_the_limit_it_grants_ahead_and_near_it_single_steps() -> None:
    """A worker's share of a quarter of what is left, and no more than it wants; at the end just what is needed."""
    world, (one, *_) = world_of(2)
    for wanted, expected in ((100, 100), (9000, 362), (9000, 317)):
        one.begin({KEY: one.free.get(KEY, 0) + 1}, wanted - 1)
        kind, payload = said(world, one)
        assert (kind, payload["items"][0][:3]) == ("granted", [*KEY, expected])
        world.quiet()
    assert payload["items"][0][3] == 3000 - 100 - 362 - 317
    world.desk.use(world.limits | {TOTAL: Limit(TOTAL, "budget", 100 + 362 + 317 + 5, "project")}, [TOTAL])
    one.begin({KEY: one.free[KEY] + 5}, 9000)
    assert said(world, one)[1]["items"] == [[*KEY, 5, 0]]


def test_a_refusal_names_the_limit_and_consumes_nothing() -> None:
    """The budget goes before rates; what is spent, held, and when it is filled are told, and no bucket is emptier."""
    world, (one, two) = world_of(2)
    day = (DAILY, world.window)
    two.begin({day: 700}, 0)
    world.quiet()
    world.settle(two, 0, 600)
    world.ship(two, 1)
    one.begin({(RATE, 0): 700, day: 500, (SLOTS, 0): 9}, 0)
    assert said(world, one) == (
        "refused",
        {
            "limit": DAILY, "window": world.window, "need": 500, "spent": 600, "reserved": 100, "amount": 1000,
            "retry_ms": None, "reset": world.window + DAY_MS,
        },
    )  # fmt: skip
    world.quiet()
    assert world.desk.accounts.bucket(RATE) == 0 and world.desk.refusals["budget"] == 1
    assert one.free[day] == 0 and one.asked[day] == 0


def test_rates() -> None:
    """What one worker was granted ahead comes back when another is short of it; then the time to wait is told, right to
    the millisecond."""
    world, (one, two) = world_of(2)
    key = (RATE, 0)
    one.begin({key: 1}, 9000)
    world.quiet()
    assert one.free[key] == 74  # a share of 600
    two.begin({key: 599}, 0)
    world.quiet()
    assert one.free[key] == 0 and len(two.calls) == 1 and not two.refused
    two.begin({key: 1}, 0)
    world.quiet()
    assert two.refused[0]["retry_ms"] == 100 and two.refused[0]["spent"] == 600
    world.now += 99_999
    two.begin({key: 1}, 0)
    world.quiet()
    assert two.refused[1]["retry_ms"] == 1
    world.now += 1
    two.begin({key: 1}, 0)
    world.quiet()
    assert len(two.refused) == 2
    two.begin({key: 601}, 0)
    world.quiet()
    assert two.refused[2]["retry_ms"] is None
    world.start_keeper()
    assert world.desk.accounts.bucket(RATE) > world.now


def test_tokens_that_calls_did_not_use() -> None:
    """They were held at more than they needed, as they had been granted; what is left is recalled when another worker
    is short, even from one that had nothing left when it was last asked."""
    world, (one, two, three) = world_of(3)
    key = (9, 0)
    world.desk.use(world.limits | {9: Limit(9, "tokens", 9000, "key")}, [9])
    for worker in (one, two):
        worker.begin({key: 4110}, 9000)
        world.quiet()
        assert len(worker.calls) == 1 and worker.free[key] == 0
    three.begin({key: 4110}, 9000)
    world.quiet()
    assert three.refused[0]["limit"] == 9
    for worker in (one, two):
        worker.calls.clear()
        worker.free[key] += 4060
    three.begin({key: 4110}, 9000)
    world.quiet()
    assert len(three.calls) == len(three.refused) == 1 and one.free[key] == two.free[key] == 0


def test_a_clock_that_was_put_back_locks_no_rate() -> None:
    """A keeper that starts an hour earlier than the last one wrote grants again after a minute."""
    world, (one,) = world_of(1)
    one.begin({(RATE, 0): 600}, 0)
    world.quiet()
    world.now -= 3600 * 1_000_000
    world.start_keeper()
    world.connect(one)
    one.begin({(RATE, 0): 1}, 0)
    world.quiet()
    assert one.refused[0]["retry_ms"] == 100
    world.now += 60_000_000
    one.begin({(RATE, 0): 600}, 0)
    world.quiet()
    assert len(one.refused) == 1


def test_who_does_not_answer_is_waited_for_once() -> None:
    """A worker that stands still costs another one 200 ms, and the next nothing, until it has answered."""
    world, (one, two) = world_of(2)
    one.begin({KEY: 1}, 9000)
    said(world, one)
    one.receive()
    two.begin({KEY: 2900}, 0)
    assert two.peer is not None
    world.hear(two.peer)
    begun = world.now
    assert world.desk.turn() == begun + 200_000 and not two.peer.down
    world.now += 200_000
    assert world.desk.turn() is None and two.peer.down[0][0] == "refused"
    two.receive()
    two.begin({KEY: 2900}, 0)
    world.hear(two.peer)
    assert world.desk.turn() is None and two.peer.down.pop()[0] == "refused"
    two.waiting.clear()
    two.free[KEY] = two.asked[KEY] = 0
    one.receive()
    assert one.peer is not None
    world.hear(one.peer)
    two.begin({KEY: 2900}, 0)
    world.quiet()
    assert len(two.calls) == 1


def test_who_is_away_is_waited_for() -> None:
    """What a worker without a connection holds may come back with it, or with its end; after 200 ms that is over."""
    world, (one, two) = world_of(2)
    one.begin({KEY: 1}, 9000)
    world.quiet()
    world.kill(one)
    assert world.desk.stranded == one.granted[KEY]
    two.begin({KEY: 2900}, 0)
    assert two.peer is not None
    world.hear(two.peer)
    assert world.desk.turn() == world.now + 200_000
    world.bury(one, 100)
    world.desk.turn()
    assert two.peer.down[0][0] == "granted" and world.desk.stranded == 0


def test_before_the_dead_are_settled_nothing_is_granted() -> None:
    """An ask waits for that, 200 ms at most."""
    world, (one, two) = world_of(2)
    world.kill(two)
    world.start_keeper()
    world.connect(one)
    one.begin({KEY: 1}, 0)
    assert one.peer is not None
    world.hear(one.peer)
    assert world.desk.turn() == world.now + 200_000 and not one.peer.down
    world.now += 200_000
    world.desk.turn()
    assert one.peer.down.pop() == ("refused", {"unavailable": True}, 1)
    one.waiting.clear()
    one.begin({KEY: 2}, 0)
    world.hear(one.peer)
    world.bury(two, 0)
    world.desk.turn()
    assert one.peer.down[0][0] == "granted"


def test_the_store_takes_no_grants() -> None:
    """Then nothing is granted, nothing is consumed, and everybody who asked hears of it."""
    world, (one, two) = world_of(2)

    def fail(given: object, rates: object) -> None:
        raise StoreError("the disk is full")

    world.store.grant = fail  # type: ignore[method-assign]
    for worker in (one, two):
        worker.begin({KEY: 5, (RATE, 0): 5}, 0)
        assert worker.peer is not None
        world.hear(worker.peer)
    world.desk.turn()
    assert [said(world, worker) for worker in (one, two)] == [("refused", {"unavailable": True})] * 2
    assert world.desk.accounts.bucket(RATE) == 0 and world.desk.accounts.get(KEY).reserved == 0
    assert [str(error) for error in world.errors] == ["the disk is full"]
    assert world.desk.refusals["unavailable"] == 2


def test_a_lowered_limit() -> None:
    """All that is free is recalled at once, and what calls leave over within 200 ms, so that nobody goes on with it."""
    world, (one,) = world_of(1)
    one.begin({KEY: 100}, 9000)
    world.quiet()
    assert one.free[KEY] > 0
    world.desk.use(world.limits | {TOTAL: Limit(TOTAL, "budget", 50, "project")}, [TOTAL])
    world.quiet()
    assert one.free[KEY] == 0 and one.granted[KEY] == 100
    world.settle(one, 0, 20)
    assert one.free[KEY] == 80
    world.now += 200_000
    world.desk.turn()
    world.quiet()
    assert one.free[KEY] == 0
    world.ship(one, 1)
    one.begin({KEY: 30}, 0)
    world.quiet()
    assert len(one.calls) == 1


def test_limits_that_nobody_holds_anything_of() -> None:
    """However many are new, there is nothing to recall, hence nothing to be done; what is held of another is."""
    world, (one, _) = world_of(2)
    one.begin({(RATE, 0): 1}, 9000)
    world.quiet()
    many = {id: Limit(id, "budget", 10, "key") for id in range(100, 5000)}
    world.woken = False
    world.desk.use(world.limits | many, [*many])
    assert not world.woken
    world.desk.use(world.limits | many, [RATE, *many])
    assert said(world, one) == ("recall", {"items": [(RATE, 0)], "round": 1})


def test_a_removed_limit_stops_nobody() -> None:
    """A worker that has not heard of it yet is granted what it needs, and nothing is kept of it."""
    world, (one,) = world_of(1)
    world.desk.use({}, list(world.limits))
    one.begin({KEY: 10**9, (RATE, 0): 10**9}, 5)
    assert said(world, one) == ("granted", {"items": [[*KEY, 10**9, 0], [RATE, 0, 10**9, 0]]})
    assert world.store.leases() == []


def test_status() -> None:
    """Spent, out there, left, and when it is filled again; limits that are not known are left out."""
    world, (one,) = world_of(1)
    day = (DAILY, world.window)
    one.begin({day: 100, (RATE, 0): 300, (SLOTS, 0): 2}, 0)
    world.quiet()
    assert one.peer is not None
    world.desk.status(one.peer, 9, [day, (RATE, 0), (SLOTS, 0), (99, 0)])
    kind, payload, id = one.peer.down.pop()
    assert (kind, id) == ("status", 9)
    daily, rate, slots = payload["items"]
    assert daily == (*day, 1000, 0, 100, 900, world.window + DAY_MS)
    assert rate[:6] == (RATE, 0, 600, 300, 0, 300) and rate[6] > 0
    assert slots == (SLOTS, 0, 6, 0, 2, 4, None)


def test_nonsense_is_refused() -> None:
    """Nobody asks for or gives back less than nothing."""
    world, (one,) = world_of(1)
    assert one.peer is not None
    with pytest.raises(ValueError, match="asked"):
        world.desk.ask(one.peer, 1, [[*KEY, -1, 0]])
    with pytest.raises(ValueError, match="given back"):
        world.desk.give(one.peer, [[*KEY, -1]], 0)
