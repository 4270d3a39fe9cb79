"""What a key may know of itself: its rules, its limits, and what is left of them (GET /v1/key).

Only this key's: what stands above it, its project's and organisation's limits, is what it is held to as well. Figures
come from the keeper, which knows what all workers have spent and hold; without it there are none, rather than old ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from encke.admin.frames import Frame
from encke.core.clock import iso
from encke.core.faults import Fault
from encke.core.money import dollars
from encke.http.drive import Signal
from encke.keys.grant import RATES, Grant, Limit
from encke.keys.snapshot import Received
from encke.limits.book import KeeperAway
from encke.limits.windows import window_of

TIMEOUT: Final = 2.0  # seconds

Ask = Callable[[str, dict[str, Any], float], Signal[Frame]]
# An account's amount, what was spent of it and is reserved, what is left, and when it is filled again (UTC ms).
Standing = tuple[int, int, int, int, int | None]


class OwnKey:
    """`ask` puts a question to the keeper: its kind, its payload, and seconds to wait."""

    def __init__(self, known: Received, ask: Ask) -> None:
        self._known = known
        self._ask = ask

    async def show(self, grant: Grant, now_ms: int) -> dict[str, Any]:
        """The answer's JSON. Raises Fault unavailable when the keeper does not say how the limits stand."""
        accounts = [(limit, *_window(limit, now_ms)) for limit in grant.limits]
        standings = await self._standings([[limit.id, start] for limit, start, _ in accounts])
        limits: list[dict[str, Any]] = []
        tightest: dict[str, Any] | None = None
        least: tuple[int, Standing] | None = None
        for limit, start, end in accounts:
            standing = standings.get((limit.id, start))
            if standing is None:
                raise _unavailable()
            if limit.kind == "budget":  # what workers hold ahead is not gone: it comes back to whoever needs it
                standing = (*standing[:3], standing[0] - standing[1], standing[4])
            shown = _limit(limit, start, end, standing)
            limits.append(shown)
            if limit.kind == "budget" and (least is None or standing[3] < least[0]):
                least, tightest = (standing[3], standing), shown
        project, organisation = self._known.grants.names(grant.project)
        return {
            "object": "key",
            "id": grant.public_id,
            "name": grant.name,
            "project": project,
            "organisation": organisation,
            "created": iso(grant.created),
            "expires": iso(grant.expires) if grant.expires is not None else None,
            "rules": [
                {"models": rules.models, "routes": rules.routes, "addresses": rules.addresses}
                for rules in grant.rules
                if (rules.models, rules.routes, rules.addresses) != (None, None, None)
            ],
            "on_unsupported": grant.on_unsupported,
            "tags": sorted({tag for rules in grant.rules for tag in rules.tags}),
            "limits": limits,
            "tightest_budget": tightest,
            "data": _data(grant, least[1] if least is not None else None),
        }

    async def _standings(self, accounts: list[list[int]]) -> dict[tuple[int, int], Standing]:
        if not accounts:
            return {}
        try:
            frame = await self._ask("status", {"accounts": accounts}, TIMEOUT)
        except KeeperAway:
            raise _unavailable() from None
        if frame.kind != "status" or frame.payload.get("unavailable"):
            raise _unavailable()
        return {
            (limit, window): (amount, posted, reserved, left, reset)
            for limit, window, amount, posted, reserved, left, reset in frame.payload["items"]
        }


def _unavailable() -> Fault:
    return Fault("unavailable", "How the limits stand cannot be told just now. Try again shortly.", retry_after=1.0)


def _window(limit: Limit, now_ms: int) -> tuple[int, int | None]:
    if limit.kind != "budget":
        return 0, None
    return window_of(limit.period, limit.zone, limit.anchor, now_ms)


def _limit(limit: Limit, start: int, end: int | None, standing: Standing) -> dict[str, Any]:
    amount, spent, reserved, left, reset = standing
    left = max(left, 0)
    shown: dict[str, Any] = {"kind": limit.kind, "scope": limit.scope}
    if limit.kind == "budget":
        shown |= {"period": limit.period, "strict": limit.strict}
        if end is not None:
            shown |= {"zone": limit.zone, "anchor": limit.anchor, "since": iso(start)}
        shown |= {"amount": dollars(amount), "spent": dollars(spent), "reserved": dollars(reserved)}
        shown |= {"left": dollars(left), "reset": iso(end) if end is not None else None}
    elif limit.kind in RATES:
        shown |= {"per": "minute", "amount": amount, "left": left, "reset": iso(reset) if reset is not None else None}
    else:
        shown |= {"amount": amount, "reserved": reserved, "left": left}
    return shown


def _data(grant: Grant, tightest: Standing | None) -> dict[str, Any]:
    """The same in short, as OpenRouter's GET /api/v1/key has it (openrouter.ai/docs/api-reference/limits), since tools
    that show what is left read that: dollars as numbers, of the tightest budget."""
    limit, usage, left = (_number(tightest[0]), _number(tightest[1]), _number(tightest[3])) if tightest else (None,) * 3
    return {"label": grant.name, "limit": limit, "usage": usage, "limit_remaining": left, "is_free_tier": False}


def _number(nano: int) -> msgspec.Raw:
    return msgspec.Raw(dollars(max(nano, 0)).encode())
