"""Rounds of recalls: workers are asked to give back all that is free of an account, and somebody waits for the answers.

One round per account at a time. Who does not answer in time is not waited for again before it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from encke.keeper.accounts import Key

PATIENCE_US: Final = 200_000


class Peer(Protocol):
    """A worker's connection; `epoch` null: it is nobody's any more."""

    epoch: int | None

    def send(self, kind: str, payload: dict[str, Any], id: int = 0) -> None:
        """Send a message."""


class Round:
    """One question to several workers. `turn` is the desk's count at its beginning."""

    __slots__ = ("keys", "turn", "until", "waiting")

    def __init__(self, keys: frozenset[Key], waiting: set[Peer], turn: int, until: int) -> None:
        self.keys = keys
        self.waiting = waiting
        self.turn = turn
        self.until = until


class Recalls:
    """The rounds that are open, and what the last ones were."""

    def __init__(self) -> None:
        self._rounds: dict[int, Round] = {}
        self._busy: set[Key] = set()
        self._over: dict[Key, int] = {}  # the turn in which the last round that is over began
        self._silent: dict[Peer, set[int]] = {}  # the rounds that it still owes an answer to
        self._next = 1
        self.begun = 0

    def answers(self, peer: Peer) -> bool:
        """Whether this worker can be expected to answer."""
        return peer not in self._silent

    def busy(self, key: Key) -> bool:
        """Whether a round is open."""
        return key in self._busy

    def begin(self, holders: Mapping[Key, Iterable[Peer]], turn: int, now_us: int) -> None:
        """Ask those who hold something of these accounts, where nobody has been asked yet."""
        asked: dict[Peer, set[Key]] = {}
        for key, peers in holders.items():
            if key not in self._busy:
                for peer in filter(self.answers, peers):
                    asked.setdefault(peer, set()).add(key)
        if not asked:
            return
        keys = frozenset(key for each in asked.values() for key in each)
        number, self._next = self._next, self._next + 1
        self._rounds[number] = Round(keys, set(asked), turn, now_us + PATIENCE_US)
        self._busy |= keys
        self.begun += 1
        for peer, wanted in asked.items():
            peer.send("recall", {"items": [*wanted], "round": number})

    def answered(self, peer: Peer, number: int) -> Round | None:
        """A worker has answered; the round, if it is still open."""
        late = self._silent.get(peer)
        if late is not None:
            late.discard(number)
            if not late:
                del self._silent[peer]
        found = self._rounds.get(number)
        if found is not None:
            found.waiting.discard(peer)
            self._close(number, found)
        return found

    def left(self, peer: Peer) -> None:
        """It is gone, and will not answer."""
        self._silent.pop(peer, None)
        for number, each in list(self._rounds.items()):
            each.waiting.discard(peer)
            self._close(number, each)

    def expire(self, now_us: int) -> None:
        """Wait no longer for rounds whose time is over."""
        for number, each in list(self._rounds.items()):
            if now_us >= each.until:
                for peer in each.waiting:
                    self._silent.setdefault(peer, set()).add(number)
                each.waiting.clear()
                self._close(number, each)

    def done_since(self, key: Key, turn: int) -> bool:
        """Whether a round that began in this turn or later is over."""
        return self._over.get(key, -1) >= turn

    def forget(self) -> None:
        """Nobody waits: what is over is of no more use."""
        self._over.clear()

    @property
    def until(self) -> int | None:
        """When the first round's time is over."""
        return min((each.until for each in self._rounds.values()), default=None)

    def _close(self, number: int, found: Round) -> None:
        if not found.waiting:
            del self._rounds[number]
            self._busy -= found.keys
            self._over.update(dict.fromkeys(found.keys, found.turn))
