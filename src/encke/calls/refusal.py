"""What a caller is told when a limit says no: whose limit it is, how much of it is gone, and when to come again.

The keeper's answer (`refused`, see `encke.keeper.desk`) and the limit make the sentence; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from encke.core.clock import iso
from encke.core.faults import Fault
from encke.core.money import shown
from encke.keys.grant import Limit

# How a period is said: what was spent in it, and how often it comes.
_IN: Final = {"total": "in all", "credit": "in all", "day": "today", "week": "this week", "month": "this month"}
_EACH: Final = {"total": " in all", "credit": " of credit", "day": " a day", "week": " a week", "month": " a month"}
_WINDOWS: Final = ("day", "week", "month")
_NEVER: Final = (("x-should-retry", "false"),)


def unavailable() -> Fault:
    """Nobody can say just now what is left, so nothing is spent."""
    return Fault("unavailable", "The gateway cannot reach its limits just now, so it makes no calls.", retry_after=1.0)


def refusal(limit: Limit, refused: Mapping[str, Any]) -> Fault:
    """The Fault of a call that `limit` does not let through.

    `refused`: `need` of this call, `spent` and `reserved` of the account, `amount` of the limit (nUSD, requests,
    tokens or calls), `retry_ms` and `reset` (UTC ms) or None; or `unavailable`. Gives insufficient_quota for a budget,
    rate_limit_exceeded for the others, unavailable where the keeper cannot tell.
    """
    if refused.get("unavailable"):
        return unavailable()
    if limit.kind == "budget":
        return _budget(limit, refused)
    if limit.kind == "concurrency":
        return _concurrency(limit, refused)
    return _rate(limit, refused)


def _budget(limit: Limit, refused: Mapping[str, Any]) -> Fault:
    amount: int = refused["amount"]
    spent: int = refused["spent"]
    held: int = refused["reserved"]
    need: int = refused["need"]
    own = "credit" if limit.period == "credit" else "budget"
    if need > amount and limit.period != "credit":
        text = (
            f"The {own} of {limit.scope} is too small for this call: it may cost {shown(need)}, and the budget is "
            f"{shown(amount)}{_EACH[limit.period]}. Ask for fewer tokens, or take a cheaper model."
        )
        return Fault("insufficient_quota", text)
    state = "is held by running calls"
    if spent + need > amount:
        # Of the last twentieth one says that it is gone: what is left of it helps nobody.
        state = "is spent" if (amount - spent) * 20 < amount else "has too little left for this call"
    text = f"The {own} of {limit.scope} {state}: {shown(spent)} of {shown(amount)} {period_words(limit)}"
    if held > 0:
        text += f", {shown(held)} held for running calls"
    text += f"; this call needs {shown(need)}. {_again(limit, refused.get('reset'), spent + need <= amount)}"
    return Fault("insufficient_quota", text)


def period_words(limit: Limit) -> str:
    """`this month (UTC)`, `in all`: the time that a budget's figures are of."""
    words = _IN[limit.period]
    return f"{words} ({limit.zone})" if limit.period in _WINDOWS else words


def _again(limit: Limit, reset: int | None, only_held: bool) -> str:
    when = "It is free again when they have ended" if only_held else ""
    if limit.period == "credit":
        return f"{when}; credit can be added." if when else "It is not filled again by itself; credit can be added."
    if reset is None:
        return f"{when}." if when else "It is not filled again by itself; whoever gave the key can raise it."
    return f"{when}, and filled again on {iso(reset)}." if when else f"It is filled again on {iso(reset)}."


def _rate(limit: Limit, refused: Mapping[str, Any]) -> Fault:
    amount: int = refused["amount"]
    need: int = refused["need"]
    retry_ms: int | None = refused.get("retry_ms")
    unit = limit.kind if amount != 1 else limit.kind.removesuffix("s")
    if need > amount or retry_ms is None:
        text = (
            f"The rate limit of {limit.scope} is too small for this call, now and later: it counts as {need} "
            f"{limit.kind}, and the limit is {amount} {unit} a minute. Send a shorter prompt, or ask for fewer tokens."
        )
        return Fault("rate_limit_exceeded", text, headers=_NEVER)
    counts = f"; this call counts as {need}" if limit.kind == "tokens" else ""
    text = (
        f"The rate limit of {limit.scope} is reached: {amount} {unit} a minute{counts}. Try again in {_wait(retry_ms)}."
    )
    return Fault("rate_limit_exceeded", text, retry_after=retry_ms / 1000)


def _concurrency(limit: Limit, refused: Mapping[str, Any]) -> Fault:
    amount: int = refused["amount"]
    retry_ms: int | None = refused.get("retry_ms")
    many = "1 call" if amount == 1 else f"{amount} calls"
    text = f"The limit of {limit.scope} is reached: {many} at once. Try again when one of them has ended."
    return Fault("rate_limit_exceeded", text, retry_after=1.0 if retry_ms is None else retry_ms / 1000)


def cut_off(fault: Fault) -> Fault:
    """The Fault that ends a stream which got no more: budget_exceeded where a budget's refusal is why, else itself."""
    if fault.code != "insufficient_quota":
        return fault
    return Fault("budget_exceeded", f"The answer was cut off here. {fault.message}")


def _wait(ms: int) -> str:
    """`20 ms`, `1.2 s`, `61 s`: a little more than it is, never less."""
    if ms < 1000:
        return f"{max(ms, 1)} ms"
    if ms >= 10_000:
        return f"{-(-ms // 1000)} s"
    tenths = -(-ms // 100)
    return f"{tenths // 10}.{tenths % 10} s" if tenths % 10 else f"{tenths // 10} s"
