"""The lease desk in the event loop: its turns, its messages, and what is told when the store does not take a grant."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from encke.core.clock import steady_us
from encke.core.crash import Crash
from encke.core.money import NANO
from encke.keeper.desk import LeaseDesk
from encke.keeper.flusher import Tell
from encke.keeper.recalls import Peer
from encke.store.port import Store, StoreError
from encke.telemetry.metrics import Sheet, labels

RENEW_SECONDS: Final = 1.0  # in trouble
FRAMES: Final = ("ask", "give", "status")


class Turns:
    """All that workers say within one turn of the loop is decided together, in the next."""

    def __init__(self, store: Store, tell: Tell, crash: Crash) -> None:
        """Raises StoreError."""
        self._store = store
        self._tell = tell
        self._clock = steady_us()
        self.desk = LeaseDesk(store, self._clock, self._wake, self._refused, crash)
        self._coming: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._failed = False
        self._troubled = False
        self._renewed_at = 0.0

    def take(self, peer: Peer, kind: str, id: int, payload: Any) -> None:
        """A worker's message, one of FRAMES. Raises KeyError, TypeError or ValueError for what no worker sends."""
        if kind == "ask":
            self.desk.ask(peer, id, payload["items"])
        elif kind == "give":
            self.desk.give(peer, payload["items"], payload["round"])
        else:
            self.desk.status(peer, id, payload["accounts"])

    def _wake(self) -> None:
        if self._coming is None:
            self._coming = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._coming = None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._failed, before = False, self.desk.grants
        due = self.desk.turn()
        if self._troubled and not self._failed and self.desk.grants > before:
            self._troubled = False
            self._tell("leases_available", {})
        if due is not None:
            seconds = max(0, due - self._clock()) / 1_000_000
            self._later = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _refused(self, error: StoreError) -> None:
        self._failed = True
        now = asyncio.get_running_loop().time()
        if not self._troubled:
            self._troubled = True
            self._renewed_at = now
            self._tell("leases_unavailable", {"reason": str(error)})
        elif now - self._renewed_at > RENEW_SECONDS:
            self._renewed_at = now
            with contextlib.suppress(StoreError):
                self._store.renew()

    def add_to(self, sheet: Sheet) -> None:
        """What there is to tell of leases."""
        desk = self.desk
        refusals = {labels(kind=kind): float(count) for kind, count in desk.refusals.items()}
        sheet.counters["encke_lease_grants_total"] = {"": desk.grants}
        sheet.counters["encke_lease_refusals_total"] = refusals
        sheet.counters["encke_lease_recalls_total"] = {"": desk.recalls.begun}
        sheet.gauges["encke_lease_stranded_dollars"] = {"": desk.stranded / NANO}
