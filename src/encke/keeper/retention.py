"""Removing entries that are older than they shall become, a small piece at a time, when there is nothing to ship."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

from encke.core.clock import now_ms
from encke.keeper.shipper import WorkerJournal
from encke.store.port import Store

DAY_MS: Final = 86_400_000
PIECE: Final = 250  # entries: a few milliseconds, so that nobody who wants a lease waits long
REST: Final = 19  # times as long as a piece took, before the next
LOOK_SECONDS: Final = 60.0  # when there was nothing left


class Retention:
    """`days`: how old entries become; None: they are kept for ever. `now` gives UTC milliseconds."""

    def __init__(self, store: Store, days: int | None, now: Callable[[], int] = now_ms) -> None:
        self._store = store
        self._days = days
        self._now = now
        self._next = 0.0

    def step(self, now: float, journals: Collection[WorkerJournal]) -> int:
        """Remove a piece, if it is time for one (`now`: the loop's clock). How many entries. Raises StoreError.

        What a keeper that is started anew would read in a journal again stays, or it would be added a second time.
        """
        if self._days is None or now < self._next or not all(journal.whole for journal in journals):
            return 0
        self._next = now + LOOK_SECONDS
        began = time.perf_counter()
        before = min([self._now() - self._days * DAY_MS, *(journal.oldest for journal in journals)])
        removed = self._store.prune(before, PIECE)
        if removed:
            self._next = now + (time.perf_counter() - began) * REST
        return removed
