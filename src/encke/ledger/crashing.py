"""A journal whose process ends at a chosen place; see `encke.core.crash`. Only where `ENCKE_CRASHPOINT` is set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from encke.core.crash import Crash
from encke.ledger.entry import Entry, Intent
from encke.ledger.journal import BODY_AT, CHECKED, KIND_ENTRY, RECORD, Journal


class CrashingJournal(Journal):
    """`later` runs a function in the event loop's next turn, when what is being sent now has gone out."""

    def __init__(self, slots: Path, crash: Crash, later: Callable[[Callable[[], None]], object]) -> None:
        super().__init__(slots)
        self._crash = crash
        self._later = later
        self._silent: set[int] = set()  # slots of attempts that have received nothing

    def intend(self, intent: Intent) -> None:
        """See `Journal`."""
        self._crash("worker.intending")
        super().intend(intent)
        self._crash("worker.intended")
        self._silent.add(intent.slot)
        self._later(self._sent)

    def _sent(self) -> None:
        self._crash("worker.sent")

    def progress(self, slot: int, received: int, content: int) -> None:
        """See `Journal`."""
        if slot in self._silent:
            self._silent.discard(slot)
            self._crash("worker.first_byte")
        super().progress(slot, received, content)
        self._crash("worker.progress")

    def settle(self, entry: Entry, slot: int) -> None:
        """See `Journal`."""
        self._crash("worker.settling")
        super().settle(entry, slot)
        self._crash("worker.settled")

    def _append(self, kind: int, answers: int, body: bytes) -> None:
        at = self._at
        end = at + BODY_AT + len(body)
        mapped = self._map
        if kind == KIND_ENTRY and mapped is not None and end + RECORD.size <= self._size:
            mapped[at + RECORD.size : end] = CHECKED.pack(self._sequence + 1, answers, kind) + body
            self._crash("worker.torn")
        super()._append(kind, answers, body)

    def _begin_segment(self) -> None:
        self._crash("worker.segment")
        super()._begin_segment()
        self._crash("worker.segment_begun")
