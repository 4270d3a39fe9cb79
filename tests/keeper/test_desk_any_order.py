"""The lease desk, with workers that come, ask, spend and die in any order: no allowance is out there twice, none is
lost, and nobody is refused what there is."""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from encke.keeper.accounts import Key
from encke.store.port import StoreError
from tests.conftest import Size
from tests.keeper.desk_model import DAILY, DAY_MS, RATE, SLOTS, TOTAL, Worker, World

DAY_US = DAY_MS * 1000


class Desk(RuleBasedStateMachine):
    """`ceiling`: what may be out of each account; the amount, or what was out there when that was lowered."""

    @initialize()
    def begin(self) -> None:
        """Two workers."""
        self.world = World()
        self.ceiling: dict[Key, int] = {}
        for _ in range(2):
            self.start()

    def pick(self, data: st.DataObject, linked: bool = False) -> Worker | None:
        """One of the workers that live."""
        found = [each for each in self.world.workers.values() if each.peer is not None or not linked]
        return data.draw(st.sampled_from(found)) if found else None

    # Workers

    @precondition(lambda self: len(self.world.workers) < 4)
    @rule()
    def start(self) -> None:
        """One more worker."""
        self.world.epochs += 1
        worker = self.world.workers[self.world.epochs] = Worker(self.world.epochs)
        self.world.connect(worker)

    @rule(data=st.data(), money=st.integers(0, 400), ahead=st.sampled_from([0, 100, 5000]), many=st.booleans())
    def call(self, data: st.DataObject, money: int, ahead: int, many: bool) -> None:
        """A call begins."""
        worker = self.pick(data, linked=True)
        if worker is not None:
            day, total, slots, rate = self.world.keys()
            worker.begin({total: money} if many else {day: money, total: money, slots: 1, rate: 1}, ahead)

    @rule(data=st.data(), part=st.integers(0, 100))
    def end(self, data: st.DataObject, part: int) -> None:
        """A call ends, and has cost no more than it held."""
        worker = self.pick(data)
        if worker is not None and worker.calls:
            number = data.draw(st.integers(0, len(worker.calls) - 1))
            holds = worker.calls[number].holds
            self.world.settle(worker, number, holds[TOTAL, 0] * part // 100)

    @rule(data=st.data(), count=st.integers(1, 5))
    def ship(self, data: st.DataObject, count: int) -> None:
        """Some entries come into the store."""
        worker = self.pick(data)
        if worker is not None:
            self.world.ship(worker, count)

    @rule(data=st.data(), which=st.integers(0, 3))
    def give(self, data: st.DataObject, which: int) -> None:
        """Something is given back unasked."""
        worker = self.pick(data, linked=True)
        if worker is not None:
            worker.give(self.world.keys()[which])

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """An answer is waited for no longer."""
        worker = self.pick(data, linked=True)
        if worker is not None and worker.waiting:
            worker.give_up(data.draw(st.sampled_from(sorted(worker.waiting))))

    # Sockets and the loop

    @rule(data=st.data(), count=st.integers(1, 10))
    def receive(self, data: st.DataObject, count: int) -> None:
        """A worker reads."""
        worker = self.pick(data, linked=True)
        while worker is not None and worker.peer is not None and worker.peer.down and count:
            worker.receive()
            count -= 1

    @rule(data=st.data(), count=st.integers(1, 10))
    def hear(self, data: st.DataObject, count: int) -> None:
        """The keeper reads."""
        worker = self.pick(data, linked=True)
        while worker is not None and worker.peer is not None and worker.peer.up and count:
            self.world.hear(worker.peer)
            count -= 1

    @rule(later=st.sampled_from([0, 0, 1_000, 60_000, 200_000]))
    def turn(self, later: int) -> None:
        """Time passes, and the desk decides."""
        self.world.now += later
        self.world.desk.turn()

    @rule()
    def tomorrow(self) -> None:
        """The daily budget begins anew; calls of yesterday end in yesterday's."""
        self.world.now += DAY_US
        self.world.roll()

    @rule()
    def tidy(self) -> None:
        """Of days that are over, workers and desk forget what is not out there."""
        self.world.tidy()

    # What goes wrong

    @rule(data=st.data(), late=st.booleans())
    def reconnect(self, data: st.DataObject, late: bool) -> None:
        """A connection breaks, with all that is in it; or the keeper reads what is left of it after the new hello."""
        worker = self.pick(data)
        if worker is None:
            return
        old = worker.peer
        if old is not None and not late:
            self.world.desk.left(old, worker.epoch)
        self.world.connect(worker)
        if old is not None and late:
            while old.up:
                self.world.hear(old)

    @precondition(lambda self: len(self.world.workers) > 1)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """A worker dies."""
        worker = self.pick(data)
        if worker is not None:
            self.world.kill(worker)

    @precondition(lambda self: self.world.dead)
    @rule(data=st.data(), part=st.integers(0, 100))
    def bury(self, data: st.DataObject, part: int) -> None:
        """A dead worker's journal is in the store."""
        self.world.bury(data.draw(st.sampled_from(self.world.dead)), part)

    @rule(back=st.booleans())
    def restart_keeper(self, back: bool) -> None:
        """The keeper dies and starts again; workers find it at once or later."""
        self.world.start_keeper()
        self.note_ceilings(-1)  # what was given back since the last grant is not in the store
        for worker in list(self.world.workers.values()):
            if back:
                self.world.connect(worker)

    @rule(daily=st.sampled_from([0, 300, 1000, 5000]), slots=st.integers(0, 8))
    def change_limits(self, daily: int, slots: int) -> None:
        """Amounts are raised or lowered."""
        self.note_ceilings(-1)
        limits = self.world.limits
        for id, amount in ((DAILY, daily), (SLOTS, slots)):
            limits[id] = msgspec.structs.replace(limits[id], amount=amount)
        self.world.desk.use(limits, [DAILY, SLOTS])

    @rule(fails=st.booleans())
    def store(self, fails: bool) -> None:
        """The store takes no grants for a while."""

        def fail(given: object, rates: object) -> None:
            raise StoreError("the disk is full")

        self.world.store.grant = fail if fails else self.world.grant  # type: ignore[method-assign]

    # What must hold

    def out(self, key: Key) -> int:
        """What is spent, or may be, without asking: by workers that live, and by those not buried yet."""
        there = [*self.world.workers.values(), *self.world.dead]
        return self.world.store.posted(*key) + sum(
            max(worker.granted.get(key, 0) - self.shipped(worker, key), worker.unposted(key) + worker.held(key))
            for worker in there
        )

    def shipped(self, worker: Worker, key: Key) -> int:
        """What of its lease is in the store."""
        rows = self.world.store.leases()
        return sum(row.posted for row in rows if (row.epoch, row.limit, row.window) == (worker.epoch, *key))

    def note_ceilings(self, floor: int = 0) -> None:
        """What may be out of each account from now on."""
        for account in self.world.desk.accounts.of(self.world.limits):
            amount = self.world.limits[account.key[0]].amount
            now = account.posted + account.reserved
            before = self.ceiling.get(account.key, amount)
            self.ceiling[account.key] = max(amount, min(now, before) if floor == 0 else now)

    @invariant()
    def nothing_is_out_there_twice(self) -> None:
        """Posted and reserved stay within the amount, and so does what really is out there."""
        self.note_ceilings()
        for account in self.world.desk.accounts.of(self.world.limits):
            ceiling = self.ceiling[account.key]
            assert account.posted + account.reserved <= ceiling, account.key
            assert account.posted == self.world.store.posted(*account.key)
            assert self.out(account.key) <= account.posted + account.reserved, account.key

    @invariant()
    def both_sides_agree(self) -> None:
        """What the desk has granted is what the worker has, and what is in the socket between them."""
        accounts = self.world.desk.accounts
        for worker in self.world.workers.values():
            for account in accounts.of_epoch(worker.epoch) if worker.peer is not None else ():
                peer, key = worker.peer, account.key
                assert peer is not None
                coming = sum(
                    item[2]
                    for kind, payload, _ in peer.down
                    if kind == "granted"
                    for item in payload["items"]
                    if (item[0], item[1]) == key
                )
                going = sum(
                    item[2] for kind, items, _ in peer.up if kind == "give" for item in items if tuple(item[:2]) == key
                )
                there = worker.granted.get(key, 0) + coming + going
                forgotten = key[0] == DAILY and key[1] < self.world.window  # perhaps, by one of them or both
                assert forgotten or account.leases[worker.epoch].granted == there

    @precondition(lambda self: self.world.desk.opened)
    @rule(data=st.data(), money=st.integers(1, 400))
    def nobody_is_refused_what_there_is(self, data: st.DataObject, money: int) -> None:
        """With nothing under way, a call is refused exactly if it does not fit beside what is spent and held."""
        world = self.world
        world.store.grant = world.grant  # type: ignore[method-assign]
        for worker in world.workers.values():
            if worker.peer is None:
                world.connect(worker)
        world.quiet()
        worker = data.draw(st.sampled_from(list(world.workers.values())))
        wants = dict.fromkeys(world.keys()[:2], money) | dict.fromkeys(world.keys()[2:], 1)
        fits = {key: wants[key] <= world.limits[key[0]].amount - self.committed(key) for key in wants if key[0] != RATE}
        before, buckets = len(worker.refused), world.desk.accounts.bucket(RATE)
        now = world.now
        worker.begin(wants, 100)
        world.quiet()
        if len(worker.refused) == before:
            assert all(fits.values()), f"granted beyond a limit: {fits}"
            return
        refused = worker.refused[-1]
        if refused["limit"] == RATE:
            assert refused["retry_ms"] > 0
            return
        assert not fits[refused["limit"], refused["window"]], f"refused what there is: {refused}"
        assert refused["spent"] + refused["reserved"] + refused["need"] > refused["amount"]
        assert now <= world.now and world.desk.accounts.bucket(RATE) <= buckets

    def committed(self, key: Key) -> int:
        """What is spent, held by calls under way, or with the dead."""
        world = self.world
        dead = sum(world.desk.accounts.get(key).out(worker.epoch) for worker in world.dead)
        alive = sum(worker.unposted(key) + worker.held(key) for worker in world.workers.values())
        return world.store.posted(*key) + dead + alive

    def teardown(self) -> None:
        """When all workers are gone and buried no lease is left, and what is posted is what was spent."""
        world = getattr(self, "world", None)
        if world is None:
            return
        for worker in list(world.workers.values()):
            world.kill(worker)
        for worker in list(world.dead):
            world.bury(worker, 50)
        assert world.store.leases() == [] and world.desk.accounts.epochs == []
        for key, spent in world.spent.items():
            assert world.store.posted(*key) == spent
        world.store.close()


def test_any_order(size: Size) -> None:
    """100 stories of 40 steps (3,000 of 100 with --soak)."""
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=size(100, soak=3000),
            stateful_step_count=size(40, soak=100),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
