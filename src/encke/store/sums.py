"""What entries are summed up by, and to: the columns of `lines` and `hours`, and the SQL that finds them in entries."""

from __future__ import annotations

from typing import Final

from encke.store.rows import BUCKETS

HOUR_MS: Final = 3_600_000

LINE: Final = ("key", "project", "asked", "provider", "model", "credential")

WELL_ENDED: Final = ("complete", "client_closed")

# What nonsense has been added up to stays here, where no sum overflows and no shipping stops.
MOST_POSTED: Final = 4 * 10**18

FAILED: Final = "status NOT IN ('complete', 'client_closed')"
USED: Final = f"{' + '.join(BUCKETS)} > 0"

_COUNTS: Final = {
    "calls": "count(*) FILTER (WHERE attempt < 2)",
    "ended": "sum(final)",
    "failed": f"count(*) FILTER (WHERE final AND {FAILED})",
    "attempts": "count(*) FILTER (WHERE attempt > 0)",
    "failed_attempts": f"count(*) FILTER (WHERE attempt > 0 AND {FAILED})",
    "priced": "count(cost)",
    "cost": "coalesce(sum(cost), 0)",
    "unpriced": f"count(*) FILTER (WHERE cost IS NULL AND {USED})",
    "estimated": "sum(estimated)",
}

SUMS: Final = (*_COUNTS, *BUCKETS)
COST_AT: Final = SUMS.index("cost")

LINE_SQL: Final = ", ".join(LINE)
SUMS_SQL: Final = ", ".join(SUMS)
# The SUMS of rows of `entries`.
OF_ENTRIES: Final = ", ".join([*_COUNTS.values(), *(f"sum({bucket})" for bucket in BUCKETS)])


def plus(names: tuple[str, ...] = SUMS) -> str:
    """`SET` of an upsert that adds to these columns."""
    added = {name: f"{name} + excluded.{name}" for name in names}
    if "cost" in added:
        added["cost"] = f"min({added['cost']}, {MOST_POSTED})"
    return ", ".join(f"{name} = {sql}" for name, sql in added.items())
