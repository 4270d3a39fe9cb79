"""What a store must do for calls under an Idempotency-Key: a part of `encke.store.port.Store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

RUNNING: Final = "running"
KEPT: Final = "kept"


class Begun(NamedTuple):
    """What is known of a name: `begun`, or the state of `call`, whose it is, or `conflict`. `replaced` is a call whose
    answer, of `size` bytes, was kept under it for too long and is nobody's any more."""

    state: str
    call: str
    replaced: str = ""
    size: int = 0


class StoredReply(NamedTuple):
    """A call made under an Idempotency-Key: running, or over and `kept`, `large`, `dropped` or `lost`."""

    name: bytes
    call: str
    epoch: int
    created: int
    state: str
    size: int


class Replies(Protocol):
    """Who made which call under which Idempotency-Key. Names and what was asked are SHA-256 digests. What is written
    outlives this process, not the power; nobody who holds the store is waited for. Every method may raise StoreError.
    """

    def begin(self, name: bytes, asked: bytes, call: str, epoch: int, now: int, since: int) -> Begun:
        """Give the name to `call`, of the worker `epoch`, unless a call since `since` has it, or one still runs."""

    def done(self, name: bytes, call: str, state: str, size: int) -> bool:
        """The call is over; false if it was not running."""

    def free(self, name: bytes, call: str) -> bool:
        """The call came to nothing, and the name is free; false if it was not running."""

    def running(self) -> list[StoredReply]:
        """The calls that are not over."""

    def older(self, than: int, most: int) -> list[StoredReply]:
        """Calls that are over and began before `than`, the oldest first."""

    def oldest_kept(self, most: int) -> list[StoredReply]:
        """Calls whose answers are kept, the oldest first."""

    def drop(self, names: Sequence[bytes]) -> None:
        """Their answers are kept no more; what they were is still known."""

    def forget(self, names: Sequence[bytes]) -> None:
        """Nothing is known of them any more."""

    def files(self) -> dict[str, int]:
        """The calls that have, or may come to have, a file with their answer, and its size."""
