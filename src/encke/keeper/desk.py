"""The lease desk: grants workers allowance, so that what is spent and what is out there never exceed a limit.

For every budget: what is posted, plus what workers were granted beyond what their entries in the store have cost, is at
most the amount. Calls at once are leased alike, with nothing posted. Rates come out of a bucket (`encke.limits.rates`).
An ask is granted whole or refused whole; all asks of one turn of the loop are one commit, before the answers. What is
out there comes back by itself, or because it was recalled when somebody else was short of it, or when the worker is
gone and all of its journal is in the store: never because time has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from encke.core.crash import Crash, nowhere
from encke.keeper.accounts import Account, Accounts, Key
from encke.keeper.closing import Closing
from encke.keeper.judge import Item, Judge, Short
from encke.keeper.recalls import PATIENCE_US, Peer, Recalls
from encke.keys.grant import RATES, Limit
from encke.store.port import Store, StoreError

UNAVAILABLE: Final[dict[str, Any]] = {"unavailable": True}
KINDS: Final = ("budget", "requests", "tokens", "concurrency", "unavailable")


class Ask:
    """What one call is short of. `turn`: when it was first looked at; `given`: what it gets, once that is committed."""

    __slots__ = ("epoch", "given", "id", "items", "peer", "turn", "until")

    def __init__(self, peer: Peer, epoch: int, id: int, items: Sequence[Item], until: int) -> None:
        self.peer = peer
        self.epoch = epoch
        self.id = id
        self.items = items
        self.until = until
        self.turn = 0
        self.given: list[tuple[Key, int]] = []


class LeaseDesk:
    """`steady_us` is a clock of UTC microseconds that is never put back; `wake` is called when `turn` should be; `told`
    gets the store's errors."""

    def __init__(
        self,
        store: Store,
        steady_us: Callable[[], int],
        wake: Callable[[], None],
        told: Callable[[StoreError], None],
        crash: Crash = nowhere,
    ) -> None:
        """Raises StoreError."""
        self.accounts = Accounts(store, steady_us())
        self.opened = False  # before all that dead workers have spent is in the store, nothing is granted
        self.grants = 0
        self.refusals = dict.fromkeys(KINDS, 0)
        self.recalls = Recalls()
        self._judge = Judge(self.accounts)
        self._closing = Closing(self.accounts)
        self._clock = steady_us
        self._wake = wake
        self._told = told
        self._crash = crash
        self._peers: dict[int, Peer] = {}
        self._given_up: set[int] = set()  # epochs without a connection that were waited for in vain
        self._spares: dict[int, dict[Peer, int]] = {}  # who may have some of a rate to give back, and since which turn
        self._excess: dict[Key, set[Peer]] = {}  # of whom something is to be recalled though nobody waits for it
        self._over: set[Key] = set()  # more is out there than there is: what calls leave over is recalled each time
        self._over_at = 0
        self._asks: list[Ask] = []
        self._turn = 0

    # What the keeper tells.

    def open(self) -> None:
        """All journals of workers that are gone are in the store."""
        self.opened = True
        self._look_again()

    def use(self, limits: Mapping[int, Limit], changed: Collection[int]) -> None:
        """The limits there are, by id, and which of them have changed: of what is too much out there, all that is free
        is recalled."""
        self._judge.limits = limits
        self._recall_excess(self.accounts.of(changed))
        for id in filter(self._spares.__contains__, changed):
            self._excess.setdefault((id, 0), set()).update(self._spares[id])
        self._look_again()

    def _recall_excess(self, accounts: Iterable[Account]) -> None:
        """Of accounts with more out there than there is."""
        for account in accounts:
            limit = self._judge.limits.get(account.key[0])
            if limit is None or account.room(limit.amount) < 0:
                self._excess.setdefault(account.key, set()).update(self._holders(account))
                if limit is not None:
                    self._over.add(account.key)

    def hello(self, peer: Peer, epoch: int, leases: Sequence[Sequence[int]]) -> None:
        """A worker is there, or there again, and says what it has been granted: [[limit, window, amount], ...]."""
        before = self._peers.get(epoch)
        if before is not None and before is not peer:
            self.left(before, epoch)
            before.epoch = None  # what it still says is in this hello already
        self._peers[epoch] = peer
        self._given_up.discard(epoch)
        self.accounts.reconcile(epoch, {(limit, window): granted for limit, window, granted in leases})
        self._recall_excess(self.accounts.of_epoch(epoch))  # it may have been away when a limit was lowered
        self._look_again()

    def left(self, peer: Peer, epoch: int) -> None:
        """The connection is gone; the worker may be too. What it was granted stays reserved."""
        if self._peers.get(epoch) is peer:
            del self._peers[epoch]
        self._asks = [ask for ask in self._asks if ask.peer is not peer]
        for spares in self._spares.values():
            spares.pop(peer, None)
        for peers in self._excess.values():
            peers.discard(peer)
        self.recalls.left(peer)
        self._look_again()

    def posted(self, epoch: int, sums: Mapping[Key, int]) -> None:
        """Entries of a worker have been added to the store, and have cost so much."""
        self.accounts.posted(epoch, sums)
        self._recall_excess(self.accounts.known(sums))
        self._look_again()

    def recount(self) -> None:
        """Entries may have been added to the store without a word: see `Accounts.recount`. Raises StoreError."""
        self.accounts.recount()
        self._recall_excess(self.accounts.of(self._judge.limits))
        self._look_again()

    def gone(self, epoch: int) -> None:
        """A worker is gone, and all of its journal is in the store. Raises StoreError."""
        self.accounts.forget(epoch)
        self._given_up.discard(epoch)
        self._look_again()

    def tidy(self) -> None:
        """Now and then, between turns: forget rows of windows that are over. Raises StoreError."""
        self._closing.step(self._judge.limits, self._clock() // 1000)

    def _look_again(self) -> None:
        if self._asks or self._excess:
            self._wake()

    # What workers say.

    def ask(self, peer: Peer, id: int, items: Sequence[Sequence[int]]) -> None:
        """[[limit, window, need, want], ...], all or nothing. Raises ValueError for anything else."""
        asked: list[Item] = []
        for limit, window, need, want in items:
            if need < 0:
                raise ValueError(f"{need} is asked for")
            asked.append((limit, window, need, want))
        if peer.epoch is not None:
            self._asks.append(Ask(peer, peer.epoch, id, asked, self._clock() + PATIENCE_US))
            self._wake()

    def give(self, peer: Peer, items: Sequence[Sequence[int]], number: int) -> None:
        """[[limit, window, amount], ...] is not needed; in answer to the recall of this number, if it is not 0."""
        if peer.epoch is None:
            return
        for id, window, amount in items:
            limit = self._judge.limits.get(id)
            if amount < 0:
                raise ValueError(f"{amount} is given back")
            if limit is not None and limit.kind in RATES:
                self.accounts.credit(id, limit.amount, amount, self._clock())
            else:
                self.accounts.give((id, window), peer.epoch, amount)
        if number:
            self._answered(peer, number)
        self._look_again()

    def _answered(self, peer: Peer, number: int) -> None:
        found = self.recalls.answered(peer, number)
        for id, _ in found.keys if found is not None else ():
            limit, spares = self._judge.limits.get(id), self._spares.get(id, {})
            if limit is not None and limit.kind == "tokens":
                continue  # when a call ends it gives back what it was held at and did not use
            if found is not None and spares.get(peer, self._turn) <= found.turn:
                spares.pop(peer, None)

    def status(self, peer: Peer, id: int, keys: Sequence[Sequence[int]]) -> None:
        """Says how much of these accounts is gone: [limit, window, amount, spent, reserved, left, reset] of each."""
        limits, now = self._judge.limits, self._clock()
        try:
            items = [self._judge.state(limits[id], (id, window), now) for id, window in keys if id in limits]
        except StoreError as error:
            self._told(error)
            peer.send("status", {"items": [], **UNAVAILABLE}, id)
            return
        peer.send("status", {"items": items}, id)

    # Deciding.

    def turn(self) -> int | None:
        """Decide what can be decided. When to come again at the latest, by the steady clock; None: when woken."""
        now = self._clock()
        self.recalls.expire(now)
        self._turn += 1
        open_asks, self._asks = self._asks, []
        granted: list[Ask] = []
        recalled: dict[Key, list[Peer]] = {}
        try:
            while open_asks:
                ask = open_asks[0]
                recalled.update(self._look_at(ask, granted, now))
                del open_asks[0]
            if granted:
                self._crash("keeper.granting")
                self.accounts.commit()
                self._crash("keeper.granted")
        except StoreError as error:
            self.accounts.undo()
            self._told(error)
            for ask in [*granted, *open_asks]:
                self._unavailable(ask)
            granted = []
        for ask in granted:
            self.grants += 1
            ask.peer.send("granted", self._judge.granted(ask.given, now), ask.id)
        self._look_at_excess(now)
        self._add_excess(recalled)
        self.recalls.begin(recalled, self._turn, now)
        if not self._asks:
            self.recalls.forget()
            self.accounts.trim()
        times = [ask.until for ask in self._asks]
        if self.recalls.until is not None:
            times.append(self.recalls.until)
        if self._over:
            times.append(self._over_at)
        return min(times, default=None)

    def _look_at_excess(self, now: int) -> None:
        """As long as a limit that was lowered, or overspent, has more out there than there is."""
        if not self._over or now < self._over_at:
            return
        self._over_at = now + PATIENCE_US
        over, self._over = self._over, set()
        self._recall_excess(account for account in self.accounts.known(over) if account.reserved)

    def _add_excess(self, recalled: dict[Key, list[Peer]]) -> None:
        if not self._excess:
            return
        excess, self._excess = self._excess, {}  # a new one: it takes long to go through one that was large
        for key, peers in excess.items():
            if self.recalls.busy(key):
                self._excess[key] = peers
                continue
            silent = {peer for peer in peers if not self.recalls.answers(peer)}
            recalled[key] = [*recalled.get(key, ()), *(peers - silent)]
            if silent:  # asked when they have answered what they were asked before
                self._excess[key] = silent

    def _look_at(self, ask: Ask, granted: list[Ask], now: int) -> dict[Key, list[Peer]]:
        """Grant it (to be committed), refuse it, or let it wait for what is returned to be recalled."""
        if not self.opened:
            if now < ask.until:
                self._asks.append(ask)
            else:
                self._unavailable(ask)
            return {}
        ask.turn = ask.turn or self._turn
        short = self._judge.short(ask.items, ask.epoch, now)
        if not short:
            self._grant(ask, now)
            granted.append(ask)
            return {}
        final = [one for one in short if self._is_final(ask, one, now)]
        if final:
            named = min(final, key=lambda one: one.order)
            self.refusals[named.limit.kind] += 1
            ask.peer.send("refused", self._judge.refused(named, now), ask.id)
            return {}
        self._asks.append(ask)
        # Once each: there may be another to be waited for, who is away.
        return {one.key: self._others(ask, one) for one in short if not self.recalls.done_since(one.key, ask.turn)}

    def _grant(self, ask: Ask, now: int) -> None:
        ask.given = self._judge.grant(ask.items, ask.epoch, len(self._peers), now)
        for (id, _, need, _), (_, amount) in zip(ask.items, ask.given, strict=True):
            limit = self._judge.limits.get(id)
            if limit is not None and (limit.kind == "tokens" or (limit.kind in RATES and amount > need)):
                self._spares.setdefault(id, {})[ask.peer] = self._turn

    def _is_final(self, ask: Ask, one: Short, now: int) -> bool:
        """Whether nothing that may yet come back is worth waiting for."""
        if one.never:
            return True
        away = self._away(one)
        if now >= ask.until:
            self._given_up.update(away)
            return True
        if away:
            return False
        return self.recalls.done_since(one.key, ask.turn) or not any(map(self.recalls.answers, self._others(ask, one)))

    def _away(self, one: Short) -> list[int]:
        """The workers without a connection that hold something of it: back in a moment, or soon settled."""
        if one.limit.kind in RATES:
            return []
        account = self.accounts.get(one.key)
        return [
            epoch
            for epoch in account.leases
            if epoch not in self._peers and epoch not in self._given_up and account.out(epoch)
        ]

    def _others(self, ask: Ask, one: Short) -> list[Peer]:
        """Who, but the one who asks, may have something of it to give back."""
        if one.limit.kind in RATES:
            peers = list(self._spares.get(one.key[0], ()))
        else:
            peers = self._holders(self.accounts.get(one.key))
        return [peer for peer in peers if peer is not ask.peer]

    def _holders(self, account: Account) -> list[Peer]:
        return [self._peers[epoch] for epoch in account.leases if account.out(epoch) and epoch in self._peers]

    def _unavailable(self, ask: Ask) -> None:
        self.refusals["unavailable"] += 1
        ask.peer.send("refused", UNAVAILABLE, ask.id)

    @property
    def stranded(self) -> int:
        """Nano-dollars that are reserved for workers without a connection."""
        found = 0
        for epoch in self.accounts.epochs:
            if epoch not in self._peers:
                for account in self.accounts.of_epoch(epoch):
                    limit = self._judge.limits.get(account.key[0])
                    found += account.out(epoch) if limit is not None and limit.kind == "budget" else 0
        return found
