"""What was used."""

from __future__ import annotations

from typing import get_args

import msgspec

from encke.admin.context import AdminError, Context
from encke.admin.times import ago_or_at, iso
from encke.config.problems import quote
from encke.store.port import GroupBy, UsageRow

DEFAULT_SINCE = "24h"
GROUPS: tuple[str, ...] = get_args(GroupBy)


class UsageReport(msgspec.Struct, frozen=True):
    """Sums over the calls received in [since, until), UTC milliseconds. `rows` is empty when not grouped."""

    since: int
    until: int
    by: GroupBy | None
    rows: list[UsageRow]
    total: UsageRow


def usage(ctx: Context, since: str = DEFAULT_SINCE, until: str | None = None, by: str | None = None) -> UsageReport:
    """The report. `since` and `until` as in `encke.admin.times`; `until` is now unless given. Raises AdminError."""
    now = ctx.now()
    group = _group(by)
    start = ago_or_at(since, now, "since")
    # The range is half open, and a call received this very millisecond belongs to "until now".
    end = now + 1 if until is None else ago_or_at(until, now, "until")
    if end <= start:
        raise AdminError(f"until ({iso(end)}) is not after since ({iso(start)})")
    rows = [] if group is None else ctx.store.usage(start, end, group)
    return UsageReport(start, end, group, rows, ctx.store.usage(start, end)[0])


def _group(by: str | None) -> GroupBy | None:
    for known in get_args(GroupBy):
        if by == known:
            group: GroupBy = known
            return group
    if by is None:
        return None
    raise AdminError(f"cannot group by {quote(by)}; use {', '.join(GROUPS[:-1])} or {GROUPS[-1]}")
