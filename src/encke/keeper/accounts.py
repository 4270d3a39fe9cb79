"""What the keeper knows of accounts, leases and buckets: the store's rows in memory, and what is not written yet.

Only what is granted must be in the store before anybody hears of it. What is given back is written with the next grant,
or a moment later: a keeper that dies before that reserves too much until the worker has said hello again, or is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from encke.limits.rates import give_back, mended, take
from encke.store.port import Store

Key = tuple[int, int]  # a limit's id and a window
FULL: Final = 0  # the bucket of a rate that nobody has taken from

TRIM_AT: Final = 10_000


class Lease:
    """What one worker was granted, net of what it gave back, and what of it has been spent and is in the store."""

    __slots__ = ("granted", "posted")

    def __init__(self, granted: int, posted: int) -> None:
        self.granted = granted
        self.posted = posted

    @property
    def out(self) -> int:
        """What it may have spent, or may spend, beyond what is in the store."""
        return max(0, self.granted - self.posted)


class Account:
    """One limit in one window. `posted` is all that is spent, by whomever; `leases` by the workers' epochs."""

    __slots__ = ("key", "leases", "posted")

    def __init__(self, key: Key, posted: int) -> None:
        self.key = key
        self.posted = posted
        self.leases: dict[int, Lease] = {}

    @property
    def reserved(self) -> int:
        """What is out there."""
        return sum(lease.out for lease in self.leases.values())

    def room(self, amount: int) -> int:
        """What can be granted to one that has none; below zero when the amount was lowered."""
        return amount - self.posted - self.reserved

    def deficit(self, epoch: int) -> int:
        """What this worker has spent beyond all that it was granted: a grant of so much makes up for it first."""
        lease = self.leases.get(epoch)
        return 0 if lease is None else max(0, lease.posted - lease.granted)

    def out(self, epoch: int) -> int:
        """What is out there with this worker."""
        lease = self.leases.get(epoch)
        return 0 if lease is None else lease.out


class Accounts:
    """All of them. Between `commit`s, what was granted may be taken back by `undo`."""

    def __init__(self, store: Store, now_us: int) -> None:
        """Raises StoreError. A bucket that a clock which has been put back since would lock is mended."""
        self._store = store
        self._accounts: dict[Key, Account] = {}
        self._buckets = {limit: mended(tat, now_us) for limit, tat in store.rates()}
        self._by_epoch: dict[int, set[Key]] = {}
        self._changed: set[tuple[int, Key]] = set()
        self._changed_buckets: set[int] = set()
        self._undo: list[Callable[[], None]] = []
        self._trim_at = TRIM_AT
        self._early: dict[int, dict[Key, int]] = {}  # spent by workers that were granted nothing of it (yet)
        for epoch, limit, window, granted, posted in store.leases():
            self._lease(self.get((limit, window)), epoch).granted = granted
            self._accounts[limit, window].leases[epoch].posted = posted

    def get(self, key: Key) -> Account:
        """An account. Raises StoreError when it has not been looked at before and cannot be."""
        found = self._accounts.get(key)
        if found is None:
            found = self._accounts[key] = Account(key, self._store.posted(*key))
        return found

    def of(self, limits: Iterable[int]) -> list[Account]:
        """The accounts of these limits that anybody holds anything of."""
        wanted = frozenset(limits)
        return [account for account in self._accounts.values() if account.key[0] in wanted and account.leases]

    def known(self, keys: Iterable[Key]) -> list[Account]:
        """Those of these accounts that have been looked at before."""
        return [self._accounts[key] for key in keys if key in self._accounts]

    def bucket(self, limit: int) -> int:
        """The bucket of a rate."""
        return self._buckets.get(limit, FULL)

    @property
    def epochs(self) -> list[int]:
        """The workers that have leases, or have spent without."""
        return [*self._by_epoch, *(epoch for epoch in self._early if epoch not in self._by_epoch)]

    def of_epoch(self, epoch: int) -> list[Account]:
        """The accounts that this worker has leases of."""
        return [self._accounts[key] for key in self._by_epoch.get(epoch, ())]

    def rows_of(self, epoch: int) -> list[Key]:
        """What this worker has a row of in the store, now and for a while."""
        return [*self._by_epoch.get(epoch, ()), *self._early.get(epoch, ())]

    def nothing_out(self, epoch: int, key: Key) -> bool:
        """Whether all that this worker was granted of it has come back, or is spent and in the store."""
        account = self._accounts.get(key)
        return account is None or account.out(epoch) == 0

    def drop(self, rows: Sequence[tuple[int, Key]]) -> None:
        """Forget what these workers were granted and have spent of these accounts, not what is posted. Raises
        StoreError."""
        self._store.drop_leases([(epoch, *key) for epoch, key in rows])
        for epoch, key in rows:
            self._changed.discard((epoch, key))
            self._early.get(epoch, {}).pop(key, None)
            if key in self._accounts:
                self._accounts[key].leases.pop(epoch, None)
            self._by_epoch.get(epoch, set()).discard(key)

    def trim(self) -> None:
        """Not within a turn: forget accounts that nobody has a lease of; when they are needed they are looked up again.
        Windows are closed every day."""
        if len(self._accounts) > self._trim_at:
            self._accounts = {key: account for key, account in self._accounts.items() if account.leases}
            self._trim_at = max(TRIM_AT, 2 * len(self._accounts))

    # Grants

    def grant(self, account: Account, epoch: int, count: int) -> None:
        """So much more for this worker."""
        lease = self._lease(account, epoch)
        before = lease.granted
        lease.granted += count
        self._undo.append(lambda: setattr(lease, "granted", before))
        self._changed.add((epoch, account.key))

    def take(self, limit: int, amount: int, count: int, now_us: int) -> None:
        """So much out of the bucket of a rate."""
        before = self.bucket(limit)
        self._buckets[limit] = take(before, amount, count, now_us)
        self._undo.append(lambda: self._buckets.__setitem__(limit, before))
        self._changed_buckets.add(limit)

    def commit(self) -> None:
        """Write what is granted, and what came back. Raises StoreError; then `undo`, if anything was granted."""
        if not self._changed and not self._changed_buckets:
            return
        rows = [(epoch, *key, self._accounts[key].leases[epoch].granted) for epoch, key in self._changed]
        self._store.grant(rows, [(limit, self._buckets[limit]) for limit in self._changed_buckets])
        self._undo.clear()
        self._changed.clear()
        self._changed_buckets.clear()

    def undo(self) -> None:
        """Take back what was granted since the last commit."""
        while self._undo:
            self._undo.pop()()

    # What comes back

    def give(self, key: Key, epoch: int, count: int) -> None:
        """A worker has given so much of its lease back."""
        account = self._accounts.get(key)
        if account is not None and epoch in account.leases:
            account.leases[epoch].granted -= count
            self._changed.add((epoch, key))

    def credit(self, limit: int, amount: int, count: int, now_us: int) -> None:
        """So much of a rate has come back unused."""
        if limit in self._buckets:
            self._buckets[limit] = give_back(self._buckets[limit], amount, count, now_us)
            self._changed_buckets.add(limit)

    def reconcile(self, epoch: int, granted: Mapping[Key, int]) -> None:
        """What a worker says that it has really been granted: an answer that was lost on its way is not out there."""
        for key in self._by_epoch.get(epoch, ()):
            lease = self._accounts[key].leases[epoch]
            if granted.get(key, 0) < lease.granted:
                lease.granted = granted.get(key, 0)
                self._changed.add((epoch, key))

    def posted(self, epoch: int, sums: Mapping[Key, int]) -> None:
        """Entries of this worker are in the store since just now, and have cost so much."""
        for key, cost in sums.items():
            account = self._accounts.get(key)
            if account is None:
                early = self._early.setdefault(epoch, {})
                early[key] = early.get(key, 0) + cost
            else:
                account.posted += cost
                self._lease(account, epoch).posted += cost

    def recount(self) -> None:
        """Read again what has been spent: when adding entries failed, they may be in the store all the same, and then
        nothing is told of them when they are added once more. Raises StoreError."""
        for account in self._accounts.values():
            account.posted = self._store.posted(*account.key)
        for epoch, limit, window, _, posted in self._store.leases():
            known = self._accounts.get((limit, window))
            if known is None:
                self._early.setdefault(epoch, {})[limit, window] = posted
            else:
                self._lease(known, epoch).posted = posted

    def forget(self, epoch: int) -> None:
        """The worker is gone, and all that it has spent is in the store. Raises StoreError."""
        self._store.forget_leases(epoch)
        for key in self._by_epoch.pop(epoch, ()):
            self._accounts[key].leases.pop(epoch, None)
            self._changed.discard((epoch, key))
        self._early.pop(epoch, None)

    def _lease(self, account: Account, epoch: int) -> Lease:
        lease = account.leases.get(epoch)
        if lease is None:
            lease = account.leases[epoch] = Lease(0, self._early.get(epoch, {}).pop(account.key, 0))
            self._by_epoch.setdefault(epoch, set()).add(account.key)
        return lease
