"""Windows that are over: what workers were granted of them is forgotten once nothing of it is out there any more.

A worker lives for months, and has a row for every budget and day. As long as a call of such a window runs, something is
out there; and a call that outlived its hold may still cost something later: then that is posted, and begins a new row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from encke.keeper.accounts import Accounts, Key
from encke.keeper.judge import end_of
from encke.keys.grant import Limit

# Workers have forgotten by then what they were granted (`encke.limits.book`), so a hello says nothing of it.
GRACE_MS: Final = 15 * 60_000
EVERY_MS: Final = 60_000
AT_ONCE: Final = 2000  # rows; there may be a hundred thousand for every worker


class Closing:
    """Goes through all rows once a minute, some in each step."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._walk: Iterator[tuple[int, Key]] = iter(())
        self._ends: dict[tuple[object, ...], int | None] = {}
        self._next = 0

    def step(self, limits: Mapping[int, Limit], now_ms: int) -> None:
        """Not within a turn. `limits`: all there are. Raises StoreError; then the rows stay until the next time."""
        if not limits:  # none, or they are not known yet
            return
        rows = list(islice(self._walk, AT_ONCE))
        if not rows and now_ms >= self._next:
            self._next = now_ms + EVERY_MS
            self._ends.clear()
            self._walk = self._all()
        over = [row for row in rows if self._over(limits.get(row[1][0]), row[1][1], now_ms)]
        gone = [row for row in over if self._accounts.nothing_out(*row)]
        if gone:
            self._accounts.drop(gone)

    def _all(self) -> Iterator[tuple[int, Key]]:
        for epoch in self._accounts.epochs:
            for key in self._accounts.rows_of(epoch):
                yield epoch, key

    def _over(self, limit: Limit | None, window: int, now_ms: int) -> bool:
        if limit is None:  # removed
            return True
        if window == 0:
            return False
        kind = (limit.kind, limit.period, limit.zone, limit.anchor, window)
        if kind not in self._ends:
            self._ends[kind] = end_of(limit, window)
        end = self._ends[kind]
        return end is not None and end + GRACE_MS <= now_ms
