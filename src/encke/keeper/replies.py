"""The keeper's side of Idempotency-Keys: whose a name is, and the files with the answers.

Workers write the files and the keeper removes them. One without a row is removed at the next start; a row whose file is
missing says that the call was completed, and costs its caller the answer, never a second charge.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from encke.core.clock import now_ms
from encke.core.crash import Crash, nowhere
from encke.keeper.flusher import Tell
from encke.store.port import Store, StoreError
from encke.store.replies import KEPT, Begun, StoredReply

BLOCK = 4096  # what a small file takes of a disk
AT_ONCE = 200
FEW = 16
OVER = (KEPT, "large", "lost")


class ReplyRules(NamedTuple):
    """`keep` in milliseconds; `max_total` in bytes of disk, over all answers."""

    keep: int = 24 * 3600 * 1000
    max_total: int = 1 << 30


class ReplyDesk:
    """`clock` gives UTC milliseconds."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        rules: ReplyRules,
        tell: Tell,
        crash: Crash = nowhere,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._folder = folder
        self._rules = rules
        self._tell = tell
        self._crash = crash
        self._clock = clock
        self.total = 0  # bytes of disk
        self._recovered = False

    def recover(self, journals: Collection[int]) -> None:
        """Take over what an earlier keeper left; of workers without a journal everything is in the store already. What
        cannot be done now is done by `tidy`."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for reply in self._store.replies.running():
                if reply.epoch not in journals:
                    self._bury(reply)
            known = self._store.replies.files()
            for name in os.listdir(self._folder):
                if name.removesuffix(".new") not in known:
                    self._unlink(name)
        except (OSError, StoreError):
            return
        self.total = sum(map(_disk, known.values()))
        self._recovered = True

    # What workers ask for. The answer to each goes back to them.

    def take(self, epoch: int, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A message of a worker. Raises KeyError, TypeError, ValueError for what is none."""
        if kind == "reply_begin":
            return self.begin(epoch, payload)
        if kind == "reply_done":
            return self.done(payload)
        if kind == "reply_free":
            return self.free(payload)
        if kind == "replies":
            self.still(epoch, payload["calls"])
            return {}
        raise ValueError(kind)

    def begin(self, epoch: int, payload: dict[str, Any]) -> dict[str, Any]:
        """A call wants a name."""
        now = self._clock()
        try:
            begun = self._store.replies.begin(
                payload["name"], payload["asked"], payload["call"], epoch, now, now - self._rules.keep
            )
        except StoreError:
            return {"state": "unavailable", "call": ""}
        self._remove_replaced(begun)
        self._crash("keeper.reply_begun")
        return {"state": begun.state, "call": begun.call}

    def done(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A call is settled as complete."""
        call, state, size = payload["call"], payload["state"], int(payload["size"])
        if state not in OVER:
            raise ValueError(state)
        try:
            if self._store.replies.done(payload["name"], call, state, size) and state == KEPT:
                self.total += _disk(size)
                self._make_room()
        except StoreError:
            return {"state": "unavailable"}
        self._crash("keeper.reply_done")
        return {"state": "done"}

    def free(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A call came to nothing."""
        try:
            if self._store.replies.free(payload["name"], payload["call"]):
                self._unlink(payload["call"])
        except StoreError:
            return {"state": "unavailable"}
        return {"state": "done"}

    def still(self, epoch: int, calls: Collection[str]) -> None:
        """A worker that was without a keeper has these calls under names, and no others."""
        with contextlib.suppress(StoreError):  # then they are found when it is gone
            for reply in self._store.replies.running():
                if reply.epoch == epoch and reply.call not in calls:
                    self._free(reply)

    # What nobody asks for.

    def bury(self, epoch: int) -> bool:
        """A worker is dead, and all that it wrote into its journal is in the store. False if that has to wait."""
        try:
            for reply in self._store.replies.running():
                if reply.epoch == epoch:
                    self._bury(reply)
        except StoreError:
            return False
        return True

    def _bury(self, reply: StoredReply) -> None:
        """One that was settled as complete is never run again: its answer was put in place before that."""
        replies = self._store.replies
        complete = any(entry.status == "complete" for entry in self._store.entries(reply.call))
        if not complete:
            self._free(reply)
            return
        try:
            size = os.stat(self._folder / reply.call).st_size
        except OSError:
            replies.done(reply.name, reply.call, "lost", 0)
            return
        if replies.done(reply.name, reply.call, KEPT, size):
            self.total += _disk(size)

    def _free(self, reply: StoredReply) -> None:
        if self._store.replies.free(reply.name, reply.call):
            self._unlink(reply.call)
            self._unlink(reply.call + ".new")

    def tidy(self, journals: Collection[int]) -> bool:
        """Forget what is too old; so much at a time that nobody waits for it. Whether there is more."""
        if not self._recovered:
            self.recover(journals)
        try:
            old = self._store.replies.older(self._clock() - self._rules.keep, AT_ONCE)
            if not old:
                return False
            for reply in old:
                if reply.state == KEPT:
                    self._unlink(reply.call)
            self._store.replies.forget([reply.name for reply in old])
            self.total -= sum(_disk(reply.size) for reply in old if reply.state == KEPT)
        except StoreError:
            return False  # later
        return len(old) == AT_ONCE

    def _make_room(self) -> None:
        """Let the oldest answers go while all together are too large."""
        while self.total > self._rules.max_total:
            oldest, over = [], self.total - self._rules.max_total
            for reply in self._store.replies.oldest_kept(FEW):
                oldest.append(reply)
                over -= _disk(reply.size)
                if over <= 0:
                    break
            if not oldest:
                self.total = 0
                return
            self._store.replies.drop([reply.name for reply in oldest])
            for reply in oldest:
                self.total -= _disk(reply.size)
                self._unlink(reply.call)

    def _remove_replaced(self, begun: Begun) -> None:
        if begun.replaced:
            self.total -= _disk(begun.size)
            self._unlink(begun.replaced)

    def _unlink(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:  # the next start tries again
            self._tell("reply_not_removed", {"reason": error.strerror or type(error).__name__})


def _disk(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
