"""Sums over the entries."""

from __future__ import annotations

import apsw

from encke.store.port import GroupBy, UsageRow

# One text for every grouping, so that no SQL is ever put together. A UTC day is 86,400,000 ms.
_USAGE = """
SELECT
    grp,
    coalesce((SELECT name FROM keys WHERE public_id = grp AND :by = 'key'), ''),
    count(DISTINCT call),
    count(*) FILTER (WHERE final AND failed),
    count(*) FILTER (WHERE attempt > 0),
    count(*) FILTER (WHERE attempt > 0 AND failed),
    coalesce(sum(read), 0),
    coalesce(sum(cached), 0),
    coalesce(sum(written), 0),
    sum(cost),
    count(*) FILTER (WHERE cost IS NULL AND read + written > 0)
FROM (
    SELECT
        CASE :by WHEN 'key' THEN key WHEN 'model' THEN asked WHEN 'provider' THEN provider
                 WHEN 'credential' THEN provider || CASE credential WHEN '' THEN '' ELSE '/' || credential END
                 WHEN 'day' THEN date(started / 86400000 * 86400, 'unixepoch') ELSE '' END AS grp,
        call, attempt, final, cost,
        status NOT IN ('complete', 'client_closed') AS failed,
        input + cache_read + cache_write_5m + cache_write_1h + audio_input AS read,
        cache_read AS cached,
        output + reasoning + audio_output AS written
    FROM entries
    WHERE started >= :since AND started < :until
)
GROUP BY grp
ORDER BY CASE WHEN :by = 'day' THEN grp END, count(DISTINCT call) DESC, grp
"""

NOTHING = UsageRow("", "", 0, 0, 0, 0, 0, 0, 0, None, 0)


def usage(db: apsw.Connection, since: int, until: int, by: GroupBy | None) -> list[UsageRow]:
    """See `Store.usage`."""
    rows = [UsageRow(*row) for row in db.execute(_USAGE, {"since": since, "until": until, "by": by})]
    return rows if rows or by is not None else [NOTHING]
