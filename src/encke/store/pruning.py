"""Removing old entries, a piece at a time. What they came to is written down in the same transaction: sums and accounts
stay as they are, and can be checked against what is left all the same."""

from __future__ import annotations

from typing import Final

import apsw

from encke.store.sums import HOUR_MS, OF_ENTRIES, SUMS, plus

# The last of so many of the oldest; entries received in one millisecond go together, so that no call is torn apart.
_LAST: Final = "SELECT max(started) FROM (SELECT started FROM entries WHERE started < ? ORDER BY started LIMIT ?)"
# All of it is ours.
_HOURS: Final = (
    f"INSERT INTO pruned_hours SELECT started / {HOUR_MS}, count(*), {OF_ENTRIES} FROM entries "  # noqa: S608
    f"WHERE started <= ? GROUP BY 1 ON CONFLICT (hour) DO UPDATE SET {plus(('entries', *SUMS))}"
)
_CHARGES: Final = (
    "INSERT INTO pruned_charges SELECT charge, sum(cost) AS cost FROM entries "  # noqa: S608
    f"WHERE started <= ? AND charge > 0 AND cost > 0 GROUP BY 1 ON CONFLICT (charge) DO UPDATE SET {plus(('cost',))}"
)
_REMOVE: Final = "DELETE FROM entries WHERE started <= ?"


def prune(db: apsw.Connection, before: int, most: int) -> int:
    """Within a transaction: see `Store.prune`."""
    last = db.execute(_LAST, (before // HOUR_MS * HOUR_MS, most)).get
    if last is None:
        return 0
    for step in (_HOURS, _CHARGES, _REMOVE):
        db.execute(step, (last,))
    return db.changes()
