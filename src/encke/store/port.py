"""What a store must do. One writer at a time; every method is one transaction; all times are UTC milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from encke.ledger.entry import Entry
from encke.store.levels import Levels
from encke.store.levels import LiveKeys as LiveKeys
from encke.store.levels import StoredKey as StoredKey
from encke.store.replies import Replies

GroupBy = Literal["key", "model", "provider", "credential", "project", "organisation", "tag", "day"]


class StoreError(Exception):
    """The store cannot be used: full disk, locked, read-only, damaged, too new. The message is for people."""


class NameTaken(Exception):
    """Something live of that name, or a key with that public id or digest, exists already."""


class Appended(msgspec.Struct, frozen=True):
    """How many entries were new, and what these cost every account: (limit id, window) to nano-dollars, never 0."""

    count: int
    posted: dict[tuple[int, int], int]


# How many differences of one kind are told.
TOLD: Final = 5


class Check(msgspec.Struct):
    """One kind of check. `differences` are the first of `found`, each a sentence with its figures; `notes` are not
    wrong."""

    name: str
    found: int = 0
    differences: list[str] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)

    def differs(self, text: str) -> None:
        """One more."""
        self.found += 1
        if len(self.differences) < TOLD:
            self.differences.append(text)


class Verdict(msgspec.Struct):
    """What was found. `entries` were read; `pruned` are those that were removed when they were old."""

    entries: int
    pruned: int
    cost: int
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not any(check.found for check in self.checks)


class LeaseRow(NamedTuple):
    """`granted` is net of what was given back, `posted` what has come in of it; in the limit's unit."""

    epoch: int
    limit: int
    window: int
    granted: int
    posted: int


class UsageRow(msgspec.Struct, frozen=True):
    """Sums over the entries of one group.

    `group` is a key's public id, the model name asked for, a project's or organisation's id, a tag, a UTC day as
    `YYYY-MM-DD`, or "" for everything and for what has none; `name` is the key's, project's or organisation's name. By
    provider and credential a call is counted where its last attempt went; with several tags it is counted for each.
    `failed_calls` are those whose last entry, the one the caller saw, ended neither complete nor by the caller leaving;
    `failed_attempts` counts the attempts that ended so, also when a later one succeeded. Tokens: `input` is all that
    was read, `cached` the part of it read from a cache, `output` all that was written. `cost` is in nano-dollars, null
    when no entry had a price; `unpriced` counts the attempts that used tokens and had none, `estimated` those whose
    tokens the gateway counted, not upstream.
    """

    group: str
    name: str
    calls: int
    failed_calls: int
    attempts: int
    failed_attempts: int
    input: int
    cached: int
    output: int
    cost: int | None
    unpriced: int
    estimated: int = 0


class Store(Levels, Protocol):
    """The port. Every method may raise StoreError. Keys and what they belong to: `Levels`."""

    @property
    def replies(self) -> Replies:
        """Calls under an Idempotency-Key."""

    def append(self, entries: Sequence[Entry], epoch: int = 0) -> Appended:
        """Add entries. One whose (call, attempt) is there already is left out. What those that are new cost is added to
        their accounts, and to the leases of the worker of this `epoch` (0: nobody's). Does not wait for whoever else
        may hold the store."""

    def posted(self, limit: int, window: int) -> int:
        """What an account has been charged, in nano-dollars."""

    def leases(self) -> list[LeaseRow]:
        """What workers were granted of every account, and what their entries have cost of it since."""

    def rates(self) -> list[tuple[int, int]]:
        """The bucket of every rate: limit id and `tat` (see `encke.limits.rates`), UTC microseconds."""

    def grant(self, given: Sequence[tuple[int, int, int, int]], rates: Sequence[tuple[int, int]]) -> None:
        """Set what is granted, (epoch, limit id, window, granted), and buckets, (limit id, tat). It outlives this
        process, not the power: workers would not either. Does not wait for whoever else may hold the store."""

    def forget_leases(self, epoch: int) -> None:
        """The worker is gone, and all that it has spent is in the store."""

    def drop_leases(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """Forget these, (epoch, limit id, window); what entries cost later begins a new one, with nothing granted."""

    def entries(self, call: str) -> list[Entry]:
        """The entries of one call, by attempt."""

    def usage(self, since: int, until: int, by: GroupBy | None = None) -> list[UsageRow]:
        """Sums over the entries whose call was received in [since, until); ungrouped exactly one row. By day in order
        of time, else the most calls first. Where entries have been removed, of whole hours: see `span`."""

    def span(self, since: int, until: int) -> tuple[int, int]:
        """The range that `usage` reports when it is asked for this one."""

    def prune(self, before: int, most: int) -> int:
        """Remove some of the oldest entries, about `most`, of whole hours before this time; how many. Sums, accounts
        and what `verify` says stay as they are."""

    def verify(self, now: int, tell: Callable[[int, int], None], integrity: bool = False) -> Verdict:
        """Whether all that is written down twice is twice the same, at one moment; SQLite's own check of the file too
        if `integrity`. Reads everything; `tell` gets how many entries have been read, and of how many, now and then."""

    def backup(self, to: Path) -> int:
        """A copy as of one moment, in a file of its own for its owner only, checked and flushed; its size in bytes.
        Raises FileExistsError, OSError."""

    def renew(self) -> None:
        """Begin anew with what the store stands on: after trouble, the handle on it may be what is left of it. When it
        cannot be had, every method raises StoreError until a later `renew`."""

    def checkpoint(self) -> None:
        """Housekeeping while busy: bounded work, waits for nobody."""

    def checkpoint_idle(self) -> None:
        """Housekeeping when nothing is going on: gives disk space back."""

    def close(self) -> None:
        """Close; the store cannot be used after."""
