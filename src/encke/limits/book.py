"""A worker's book of leases: what it may still spend of each account without asking the keeper.

All amounts are whole: nano-dollars of a budget, requests, tokens, or calls at once. A call takes all that it needs in
one go; what is short is asked for, all or nothing, and what it has taken meanwhile is its own: `free` may be below zero
while the keeper is asked (`asked`). Nothing here waits or knows a clock of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from encke.keys.grant import RATES, Limit
from encke.limits.windows import Window

FOREVER: Final = 1 << 62
# A lease is asked for so many calls like this one at once, as far as the keeper thinks that there is enough.
CALLS_AHEAD: Final = 64
MAX_REMEMBERED: Final = 8192
IDLE_MS: Final = 2000  # allowance that nobody has used for so long is given back
FORGET_MS: Final = 600_000  # by then its entries are in the store
LOOKED_AT: Final = 2000  # accounts, in one go: a worker may have a hundred thousand

_pack: Final = msgspec.msgpack.Encoder().encode


class Account:
    """One limit in one window. `free` may be spent; `granted` is all that was given, less what was given back."""

    __slots__ = (
        "amount",
        "asked",
        "free",
        "granted",
        "lasting",
        "left",
        "left_at",
        "limit",
        "lowered",
        "open",
        "refused",
        "refused_at",
        "refused_need",
        "refused_until",
        "touched",
        "window",
    )  # fmt: skip

    def __init__(self, limit: Limit, window: int) -> None:
        self.limit = limit
        self.amount = limit.amount
        self.lowered = False  # since the last grant: what is free may be too much by now, so every call asks
        self.window = window
        self.lasting = limit.kind not in RATES  # a lease, not a part of a rate
        self.free = 0
        self.asked = 0
        self.granted = 0
        self.open = 0
        self.left = 0  # what the keeper could still grant when it last spoke
        self.left_at = 0  # when that was, UTC ms
        self.touched = 0  # UTC ms
        self.refused: dict[str, object] | None = None
        self.refused_at = 0
        self.refused_until = 0  # UTC ms: till then more than `refused_need` need not be asked for
        self.refused_need = 0


class Charges:
    """The accounts that calls of one grant are held against, until a window ends (`until`, UTC ms).

    `packed` names those that costs are charged to, for intents and entries.
    """

    __slots__ = ("budgets", "every", "limits", "packed", "requests", "slots", "strict", "tokens", "until")

    def __init__(self, limits: tuple[Limit, ...], accounts: list[Account], until: int) -> None:
        self.limits = limits
        self.until = until
        self.every = accounts
        self.budgets = [account for account in accounts if account.limit.kind == "budget"]
        self.requests = [account for account in accounts if account.limit.kind == "requests"]
        self.tokens = [account for account in accounts if account.limit.kind == "tokens"]
        self.slots = [account for account in accounts if account.limit.kind == "concurrency"]
        self.strict = any(account.limit.strict for account in self.budgets)
        named = [[account.limit.id, account.window] for account in self.budgets]
        self.packed = msgspec.Raw(_pack(named or None))


class Short:
    """What is short of one account: `need` at least, `want` if there is enough; the call takes `whole` in all."""

    __slots__ = ("account", "need", "want", "whole")

    def __init__(self, account: Account, need: int, want: int, whole: int) -> None:
        self.account = account
        self.need = need
        self.want = want
        self.whole = whole


class Hold:
    """What one call has taken of its accounts. `money` in nano-dollars is what it may yet cost."""

    __slots__ = ("charges", "money", "over", "tokens")

    def __init__(self, charges: Charges) -> None:
        self.charges = charges
        self.money = 0
        self.tokens = 0
        self.over = False


class KeeperAway(Exception):
    """The keeper has not answered: it is away, or slow."""


class Book:
    """All accounts of a worker."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[int, int], Account] = {}
        self._charges: dict[int, Charges] = {}
        self._windows: dict[int, Window] = {}
        # Of forgotten accounts whose windows are open: granted, and what was overspent (0 or less). The keeper still
        # counts from there.
        self._kept: dict[tuple[int, int], tuple[int, int]] = {}
        self._kept_until = FOREVER  # when the first of their windows ends
        self._to_look_at: list[tuple[int, int]] = []

    def charges(self, limits: tuple[Limit, ...], now: int) -> Charges:
        """The accounts of these limits at this moment, UTC ms. Remembered while `limits` is the same object."""
        found = self._charges.get(id(limits))
        if found is not None and now < found.until:
            return found
        if len(self._charges) >= MAX_REMEMBERED:
            self._charges.clear()
        accounts: list[Account] = []
        until = FOREVER
        for limit in limits:
            start, end = self._window(limit, now)
            until = min(until, end)
            accounts.append(self._account(limit, start))
        made = self._charges[id(limits)] = Charges(limits, accounts, until)
        return made

    def forget_limits(self) -> None:
        """There are new grants: amounts may be others, and what was refused may be granted."""
        self._charges.clear()
        for account in self._accounts.values():
            account.refused = None
            account.refused_until = 0

    def _window(self, limit: Limit, now: int) -> tuple[int, int]:
        if limit.kind != "budget" or limit.period in ("total", "credit"):
            return 0, FOREVER
        window = self._windows.get(limit.id)
        before = 0 if window is None else window.start
        if window is None or not window.is_of(limit.period, limit.zone, limit.anchor):
            window = self._windows[limit.id] = Window(limit.period, limit.zone, limit.anchor, now)
        start = window.at(now)
        if start != before:
            self._kept.pop((limit.id, before), None)
        return start, FOREVER if window.end is None else window.end

    def _account(self, limit: Limit, window: int) -> Account:
        found = self._accounts.get((limit.id, window))
        if found is None:
            found = self._accounts[(limit.id, window)] = Account(limit, window)
            found.granted, found.free = self._kept.pop((limit.id, window), (0, 0))
        if limit.amount < found.amount and found.lasting:
            found.lowered = True
        found.limit = limit
        found.amount = limit.amount
        return found

    # A call's way: begin, perhaps more, charge for each attempt, end.

    def begin(self, hold: Hold, money: int, tokens: int, now: int) -> list[Short]:
        """Take a request, a place, `tokens` and `money`; what is short is returned, to be asked for: then `granted`, or
        `undo_begin` with the same."""
        charges = hold.charges
        short: list[Short] = []
        for account in charges.every:
            account.open += 1
            account.touched = now
        _take(charges.requests, 1, short)
        _take(charges.slots, 1, short)
        if charges.tokens:
            # More than a minute's worth can never be there: then all of it must do.
            tokens = min(tokens, min(account.amount for account in charges.tokens))
            _take(charges.tokens, tokens, short)
            hold.tokens = tokens
        if money:
            _take(charges.budgets, money, short)
            hold.money = money
        return short

    def undo_begin(self, hold: Hold, short: Sequence[Short]) -> None:
        """It was refused: nothing has been consumed."""
        _unask(short)
        _return(hold.charges.requests, 1)
        self.end(hold, 0)

    def more(self, hold: Hold, money: int) -> list[Short]:
        """Take more money. As `begin`, with `undo_more`."""
        short: list[Short] = []
        _take(hold.charges.budgets, money, short)
        hold.money += money
        for one in short:
            one.whole = hold.money
        return short

    def undo_more(self, hold: Hold, money: int, short: Sequence[Short]) -> None:
        """It was refused. (If the call is over, its end has returned the money.)"""
        _unask(short)
        if not hold.over:
            _return(hold.charges.budgets, money)
            hold.money -= money

    def charge(self, hold: Hold, cost: int) -> None:
        """An attempt has cost so much. More than was held is taken all the same: it has been spent."""
        held = hold.money
        if cost <= held:
            hold.money = held - cost
            return
        hold.money = 0
        for account in hold.charges.budgets:
            account.free -= cost - held

    def end(self, hold: Hold, tokens: int) -> None:
        """The call is over, and has used so many tokens. Once; what is left of the hold is free."""
        if hold.over:
            return
        hold.over = True
        charges = hold.charges
        _return(charges.slots, 1)
        _return(charges.tokens, hold.tokens - tokens)
        _return(charges.budgets, hold.money)
        hold.money = 0
        for account in charges.every:
            account.open -= 1

    # The keeper's answers.

    def granted(self, items: Sequence[Sequence[int]], short: Sequence[Short]) -> None:
        """The keeper has granted [[limit, window, amount, left], ...] for what was `short`; late, for nothing."""
        _unask(short)
        for limit, window, amount, left in items:
            account = self._accounts.get((limit, window))
            if account is not None:
                account.free += amount
                account.granted += amount
                account.left = left
                account.lowered = False

    def recalled(self, wanted: Sequence[Sequence[int]]) -> list[list[int]]:
        """The keeper wants back what is free of these accounts: [[limit, window, amount], ...]."""
        found = (self._accounts.get((limit, window)) for limit, window in wanted)
        return [_give(account) for account in found if account is not None and account.free > 0]

    def idle(self, now: int) -> list[list[int]]:
        """What has been free for long, to be given back; accounts that nobody uses are forgotten. Some at a time."""
        given: list[list[int]] = []
        if now >= self._kept_until:
            self._close_kept(now)
        keys = self._to_look_at or list(self._accounts)
        self._to_look_at = keys[LOOKED_AT:]
        for key in keys[:LOOKED_AT]:
            account = self._accounts.get(key)
            if account is None or account.open or account.asked:
                continue
            quiet = now - account.touched
            if quiet >= IDLE_MS and account.free > 0:
                given.append(_give(account))
            elif quiet > FORGET_MS:
                self._charges.clear()
                self._forget(key, now)
        return given

    def _forget(self, key: tuple[int, int], now: int) -> None:
        account = self._accounts.pop(key)
        end = self._end(key)
        if account.lasting and now < end and (account.granted or account.free):
            self._kept[key] = (account.granted, account.free)
            self._kept_until = min(self._kept_until, end)

    def _close_kept(self, now: int) -> None:
        """Nobody may ask for these limits any more, day after day."""
        self._kept = {key: kept for key, kept in self._kept.items() if now < self._end(key)}
        self._kept_until = min(map(self._end, self._kept), default=FOREVER)

    def _end(self, key: tuple[int, int]) -> int:
        window = self._windows.get(key[0])
        if window is None or window.end is None:
            return FOREVER
        return window.end if key[1] >= window.start else 0

    def leases(self) -> list[list[int]]:
        """What was given of each account that is leased: [[limit, window, granted less given back], ...]."""
        used = [
            [account.limit.id, account.window, account.granted]
            for account in self._accounts.values()
            if account.lasting and account.granted
        ]
        return used + [[limit, window, granted] for (limit, window), (granted, _) in self._kept.items() if granted]


def _take(accounts: list[Account], amount: int, short: list[Short]) -> None:
    for account in accounts:
        there = account.free + account.asked if not account.lowered else 0
        account.free -= amount
        if there < amount:
            need = amount - there
            if not account.lasting and need > account.amount:
                need = account.amount  # a debt of more than a minute's worth is paid a minute's worth at a time
            account.asked += need
            short.append(Short(account, need, need + _ahead(account, amount), amount))


def _ahead(account: Account, amount: int) -> int:
    """How much more than it needs a worker would like to have. Rates: as much as it gets, they flow on by themselves.
    A place among the calls at once is needed when it is needed."""
    if not account.lasting:
        return account.amount
    return amount * CALLS_AHEAD if account.limit.kind == "budget" else 0


def _unask(short: Sequence[Short]) -> None:
    for one in short:
        one.account.asked -= one.need


def _return(accounts: list[Account], amount: int) -> None:
    for account in accounts:
        account.free += amount


def _give(account: Account) -> list[int]:
    amount = account.free
    account.free = 0
    account.granted -= amount
    return [account.limit.id, account.window, amount]
