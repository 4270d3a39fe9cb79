"""What a store must do. One writer at a time; every method is one transaction; all times are UTC milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from encke.ledger.entry import Entry
from encke.store.levels import Levels
from encke.store.levels import LiveKeys as LiveKeys
from encke.store.levels import StoredKey as StoredKey

GroupBy = Literal["key", "model", "provider", "credential", "project", "organisation", "tag", "day"]


class StoreError(Exception):
    """The store cannot be used: full disk, locked, read-only, damaged, too new. The message is for people."""


class NameTaken(Exception):
    """Something live of that name, or a key with that public id or digest, exists already."""


class Appended(msgspec.Struct, frozen=True):
    """How many entries were new, and what these cost every account: (limit id, window) to nano-dollars, never 0."""

    count: int
    posted: dict[tuple[int, int], int]


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

    def entries(self, call: str) -> list[Entry]:
        """The entries of one call, by attempt."""

    def usage(self, since: int, until: int, by: GroupBy | None = None) -> list[UsageRow]:
        """Sums over the entries whose call was received in [since, until); ungrouped exactly one row. By day in order
        of time, else the most calls first."""

    def renew(self) -> None:
        """Begin anew with what the store stands on: after trouble, the handle on it may be what is left of it. When it
        cannot be had, every method raises StoreError until a later `renew`."""

    def checkpoint(self) -> None:
        """Housekeeping while busy: bounded work, waits for nobody."""

    def checkpoint_idle(self) -> None:
        """Housekeeping when nothing is going on: gives disk space back."""

    def close(self) -> None:
        """Close; the store cannot be used after."""
