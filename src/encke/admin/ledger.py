"""What an operator asks of the ledger: whether it adds up, a copy, one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from encke.admin.context import AdminError, Context
from encke.config.problems import quote
from encke.core.usage import Usage
from encke.ledger.entry import Entry
from encke.store.port import Check, Verdict

# Files of a worker's journal begin with its epoch.
_JOURNAL = re.compile(r"([0-9a-f]{16})[-.].*")


class ShownAttempt(msgspec.Struct, frozen=True):
    """An entry, as `encke.ledger.entry.Entry` has it. `state`: `priced`, `free`, `unpriced` (tokens without a price),
    or `unused`, where there was nothing to pay for."""

    attempt: int
    final: bool
    status: str
    reason: str
    http_status: int
    provider: str
    credential: str
    model: str
    dispatched: int
    first_us: int
    total_us: int
    received: int
    usage: Usage
    cost: int | None
    price_version: str
    state: str


class Charged(msgspec.Struct, frozen=True):
    """An account, and what this call cost it. `window` is its first millisecond, 0 where it has none; `budget` says
    whose it is."""

    limit: int
    window: int
    budget: str
    cost: int


class ShownCall(msgspec.Struct, frozen=True):
    """All of one call. `started` in UTC milliseconds."""

    call: str
    key: str
    project: int
    route: str
    asked: str
    stream: bool
    started: int
    client_request_id: str
    attempts: list[ShownAttempt]
    charged: list[Charged]


def show(ctx: Context, call: str) -> ShownCall:
    """One call. Raises AdminError if nothing is known of it."""
    entries = ctx.store.entries(call.strip())
    if not entries:
        raise AdminError(
            f"no entry of the call {quote(call)}; its id is in the answer's x-request-id, entries appear when an "
            "attempt is over, and old ones may have been removed (store.retention)"
        )
    one = entries[-1]
    return ShownCall(
        call=one.call,
        key=one.key,
        project=one.project,
        route=one.route,
        asked=one.asked,
        stream=one.stream,
        started=one.started,
        client_request_id=one.client_request_id,
        attempts=[_attempt(entry) for entry in entries],
        charged=_charged(ctx, entries),
    )


def _attempt(entry: Entry) -> ShownAttempt:
    same = {name: getattr(entry, name) for name in ShownAttempt.__struct_fields__ if name != "state"}
    used = entry.usage.total_input + entry.usage.total_output
    state = "free" if entry.price_version == "free" else "priced"
    if entry.cost is None or not used:
        state = "unpriced" if used else "unused"
    return ShownAttempt(**same, state=state)


def _charged(ctx: Context, entries: Sequence[Entry]) -> list[Charged]:
    costs: dict[tuple[int, int], int] = {}
    for entry in entries:
        for account in msgspec.msgpack.decode(entry.accounts, type=list[tuple[int, int]] | None) or []:
            costs[account] = costs.get(account, 0) + (entry.cost or 0)
    owners = {owned.limit.id: f"{owned.level} {owned.owner}" for owned in ctx.store.owned_limits()} if costs else {}
    return [Charged(limit, window, owners.get(limit, "removed"), cost) for (limit, window), cost in costs.items()]


def verify(
    ctx: Context, journals: Path | None, tell: Callable[[int, int], None], *, running: bool, integrity: bool
) -> Verdict:
    """Whether the ledger adds up. `journals` is the folder of workers' journals; None for a copy, which has none."""
    verdict = ctx.store.verify(ctx.now(), tell, integrity)
    if journals is not None:
        verdict.checks.append(_leases(ctx, journals, running))
    return verdict


def _leases(ctx: Context, journals: Path, running: bool) -> Check:
    """What workers hold of budgets. A worker that is gone holds nothing, once all of its journal is in the store."""
    check = Check("leases")
    alive = {int(found[1], 16) for name in _names(journals) if (found := _JOURNAL.fullmatch(name))}
    out = 0
    for lease in ctx.store.leases():
        out += max(lease.granted - lease.posted, 0)
        if not running and lease.epoch not in alive:
            check.differs(
                f"worker {lease.epoch:016x}, limit {lease.limit}, window {lease.window}: granted {lease.granted}, "
                f"posted {lease.posted}, and it has no journal any more; a start of the gateway clears that"
            )
    if out:
        check.notes.append(f"{out} of all allowances are with workers")
    return check


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []
