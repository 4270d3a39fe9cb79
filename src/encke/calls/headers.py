"""Headers that tell a caller how much is left and what an answer cost.

`x-ratelimit-*` are OpenAI's (its guide to rate limits): limit and remaining are whole numbers, reset is the time until
the limit would be untouched again, as Go writes durations: `20ms`, `1s`, `8.64s`, `6m0s`. Nothing here decides
anything: a caller that heeds them is refused less often, no more.
"""

from __future__ import annotations

from typing import Final

from encke.core.clock import now_ms
from encke.core.money import dollars
from encke.limits.book import Account, Charges

MINUTE_MS: Final = 60_000


def limit_fields(charges: Charges) -> str:
    """The fields of the tightest limit of requests and of tokens, where a call has such."""
    if not charges.requests and not charges.tokens:
        return ""
    now = now_ms()
    return _tightest("requests", charges.requests, now) + _tightest("tokens", charges.tokens, now)


def _tightest(kind: str, accounts: list[Account], now: int) -> str:
    """What is left: what this worker has, and what the keeper had when it last spoke, with what has flown in since."""
    found = ""
    least = -1
    for account in accounts:
        amount = account.amount
        there = min(account.left + max(now - account.left_at, 0) * amount // MINUTE_MS, amount)
        left = max(account.free, 0) + there
        if least < 0 or left < least:
            least = left
            found = rate_fields(kind, amount, left)
    return found


def rate_fields(kind: str, amount: int, remaining: int) -> str:
    """The three fields of a limit of so many `requests` or `tokens` (`kind`) a minute, of which so many are left."""
    left = min(max(remaining, 0), amount)
    reset = -(-(amount - left) * MINUTE_MS // amount) if amount > 0 else MINUTE_MS
    return (
        f"x-ratelimit-limit-{kind}: {amount}\r\n"
        f"x-ratelimit-remaining-{kind}: {left}\r\n"
        f"x-ratelimit-reset-{kind}: {duration(reset)}\r\n"
    )


def cost_field(cost: int | None) -> str:
    """What an answer cost, in dollars as a plain decimal; no field at all where it has no price, which is not 0."""
    return f"x-encke-cost: {dollars(cost)}\r\n" if cost is not None else ""


def duration(ms: int) -> str:
    """Milliseconds as Go writes them (`time.Duration.String`): `0s`, `20ms`, `1.5s`, `6m0s`, `1h0m0.25s`."""
    if ms < 1000:
        return f"{ms}ms" if ms else "0s"
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{seconds}.{rest:03}".rstrip("0") + "s" if rest else f"{seconds}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
