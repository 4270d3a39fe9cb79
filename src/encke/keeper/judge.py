"""Whether there is enough of all that a call is short of, how much is granted, and what is said if not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from encke.core.clock import now_ms
from encke.keeper.accounts import Accounts, Key
from encke.keys.grant import RATES, Limit
from encke.limits.rates import full_at, room, wait_us
from encke.limits.windows import window_of

# Beyond its need a worker gets no more than its share of a quarter of what is left, so that the last of it goes in
# single steps.
PART: Final = 4
# Of several limits the one is named that it takes longest to get round.
_FIRST: Final = {"budget": 0, "concurrency": 1, "tokens": 2, "requests": 2}

Item = tuple[int, int, int, int]  # limit, window, need, want


class Short:
    """An account that has too little for an ask. `never`: whatever is given back, it will not do. `wait`: microseconds
    until a rate has so much."""

    __slots__ = ("key", "limit", "need", "never", "wait")

    def __init__(self, limit: Limit, key: Key, need: int, never: bool, wait: int | None) -> None:
        self.limit = limit
        self.key = key
        self.need = need
        self.never = never
        self.wait = wait

    @property
    def order(self) -> tuple[int, int]:
        """The first is the one to be named."""
        return _FIRST[self.limit.kind], -(1 << 62) if self.wait is None else -self.wait


class Judge:
    """Over these accounts; `limits` are those there are, by id. Every method raises StoreError."""

    def __init__(self, accounts: Accounts) -> None:
        self.limits: Mapping[int, Limit] = {}
        self._accounts = accounts

    def left(self, limit: Limit, key: Key, now_us: int) -> int:
        """What could still be granted, to whomever."""
        if limit.kind in RATES:
            return room(self._accounts.bucket(limit.id), limit.amount, now_us)
        return max(0, self._accounts.get(key).room(limit.amount))

    def short(self, items: Sequence[Item], epoch: int, now_us: int) -> list[Short]:
        """The accounts that have too little for this worker. A limit that was removed has enough of everything."""
        found: list[Short] = []
        for id, window, need, _ in items:
            limit = self.limits.get(id)
            if limit is None:
                continue
            if limit.kind in RATES:
                wait = wait_us(self._accounts.bucket(id), limit.amount, need, now_us)
                if wait != 0:
                    found.append(Short(limit, (id, window), need, wait is None, wait))
                continue
            account = self._accounts.get((id, window))
            need_of_all = need - account.deficit(epoch)
            if need_of_all > account.room(limit.amount):
                never = need_of_all > limit.amount - account.posted - account.out(epoch)
                found.append(Short(limit, (id, window), need, never, None))
        return found

    def grant(self, items: Sequence[Item], epoch: int, workers: int, now_us: int) -> list[tuple[Key, int]]:
        """Grant all of it, and more where there is much: how much of each. Nothing is `short`."""
        granted: list[tuple[Key, int]] = []
        for id, window, need, want in items:
            limit, key = self.limits.get(id), (id, window)
            amount = need
            if limit is not None:
                amount = max(need, min(want, self.left(limit, key, now_us) // (PART * max(1, workers))))
                if limit.kind in RATES:
                    self._accounts.take(id, limit.amount, amount, now_us)
                else:
                    self._accounts.grant(self._accounts.get(key), epoch, amount)
            granted.append((key, amount))
        return granted

    def granted(self, given: Sequence[tuple[Key, int]], now_us: int) -> dict[str, Any]:
        """The answer, after the commit."""
        items: list[list[int]] = []
        for key, amount in given:
            limit = self.limits.get(key[0])
            items.append([*key, amount, 0 if limit is None else self.left(limit, key, now_us)])
        return {"items": items}

    def refused(self, one: Short, now_us: int) -> dict[str, Any]:
        """The answer that names this limit."""
        _, _, amount, spent, reserved, _, _ = self.state(one.limit, one.key, now_us)
        return {
            "limit": one.key[0],
            "window": one.key[1],
            "need": one.need,
            "spent": spent,
            "reserved": reserved,
            "amount": amount,
            "retry_ms": None if one.wait is None else -(-one.wait // 1000),
            "reset": end_of(one.limit, one.key[1]),
        }

    def state(self, limit: Limit, key: Key, now_us: int) -> tuple[int, int, int, int, int, int, int | None]:
        """Limit, window, amount, what is spent, what is out there, what is left, and when it is filled again (UTC ms).
        A rate is filled all the time: then, when it is full."""
        left = self.left(limit, key, now_us)
        if limit.kind in RATES:
            full = now_ms() - (now_us - full_at(self._accounts.bucket(limit.id), now_us)) // 1000
            return *key, limit.amount, limit.amount - left, 0, left, full
        account = self._accounts.get(key)
        return *key, limit.amount, account.posted, account.reserved, left, end_of(limit, key[1])


def end_of(limit: Limit, window: int) -> int | None:
    """When this window of it ends, UTC ms; None: never."""
    if limit.kind != "budget":
        return None
    return window_of(limit.period, limit.zone, limit.anchor, window)[1]
