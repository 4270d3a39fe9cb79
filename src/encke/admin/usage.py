"""What was used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec

from encke.admin.context import AdminError, Context
from encke.admin.times import ago_or_at, iso
from encke.config.problems import quote
from encke.store.port import GroupBy, UsageRow

DEFAULT_SINCE = "24h"
GROUPS: tuple[str, ...] = get_args(GroupBy)

# A call is in exactly one of their lines. (It may have several tags; and no last attempt, if its worker died between
# two, then it is in no provider's line.)
_APART = ("key", "model", "project", "organisation", "day")
_COUNTS = tuple(field for field in UsageRow.__struct_fields__ if field not in ("group", "name", "cost"))


class UsageReport(msgspec.Struct, frozen=True):
    """Sums over the calls received in [since, until), UTC milliseconds; it is more than was asked for where entries
    have been removed, and only whole hours can be told. `rows` is empty when not grouped."""

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
    start, end = ctx.store.span(start, end)
    rows = ctx.store.usage(start, end, group)
    if group is None:
        return UsageReport(start, end, None, [], rows[0])
    total = _total(rows) if group in _APART else ctx.store.usage(start, end)[0]
    return UsageReport(start, end, group, rows, total)


def _total(rows: Sequence[UsageRow]) -> UsageRow:
    """The sum of lines that have nothing in common."""
    sums = {field: sum(getattr(row, field) for row in rows) for field in _COUNTS}
    costs = [row.cost for row in rows if row.cost is not None]
    return UsageRow(group="", name="", cost=sum(costs) if costs else None, **sums)


def _group(by: str | None) -> GroupBy | None:
    for known in get_args(GroupBy):
        if by == known:
            group: GroupBy = known
            return group
    if by is None:
        return None
    raise AdminError(f"cannot group by {quote(by)}; use {', '.join(GROUPS[:-1])} or {GROUPS[-1]}")
