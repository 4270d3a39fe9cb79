"""Calls under an Idempotency-Key: one small table. What it must do stands in `encke.store.replies`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import apsw

from encke.store.replies import KEPT, RUNNING, Begun, StoredReply

_FIND: Final = "SELECT asked, call, created, state, size FROM replies WHERE name = ?"
_BEGIN: Final = "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, 'running', 0)"
_DONE: Final = "UPDATE replies SET state = ?, size = ?, epoch = 0 WHERE name = ? AND call = ? AND state = 'running'"
_FREE: Final = "DELETE FROM replies WHERE name = ? AND call = ? AND state = 'running'"
_DROP: Final = "UPDATE replies SET state = 'dropped' WHERE name = ? AND state = 'kept'"
_FORGET: Final = "DELETE FROM replies WHERE name = ? AND state != 'running'"
_RUNNING: Final = "SELECT name, call, epoch, created, state, size FROM replies WHERE state = 'running'"
_OLDER: Final = (
    "SELECT name, call, epoch, created, state, size FROM replies WHERE created < ? AND state != 'running' "
    "ORDER BY created LIMIT ?"
)
_OLDEST: Final = (
    "SELECT name, call, epoch, created, state, size FROM replies WHERE state = 'kept' ORDER BY created LIMIT ?"
)
_FILES: Final = "SELECT call, size FROM replies WHERE state IN ('kept', 'running')"

Within = Callable[[], AbstractContextManager[apsw.Connection]]


class ReplyTable:
    """`within` is a transaction of the store's; it raises StoreError."""

    def __init__(self, within: Within) -> None:
        self._within = within

    def begin(self, name: bytes, asked: bytes, call: str, epoch: int, now: int, since: int) -> Begun:
        """See `Replies`."""
        with self._within() as db:
            row = db.execute(_FIND, (name,)).fetchone()
            replaced, size = "", 0
            if row is not None:
                was_asked, by, created, state, was_size = row
                if state == RUNNING and by == call:
                    return Begun("begun", call)
                if state == RUNNING or created >= since:
                    return Begun(state if was_asked == asked else "conflict", by)
                if state == KEPT:
                    replaced, size = by, was_size
            db.execute(_BEGIN, (name, asked, call, epoch, now))
            return Begun("begun", call, replaced, size)

    def done(self, name: bytes, call: str, state: str, size: int) -> bool:
        """See `Replies`."""
        with self._within() as db:
            db.execute(_DONE, (state, size, name, call))
            return db.changes() == 1

    def free(self, name: bytes, call: str) -> bool:
        """See `Replies`."""
        with self._within() as db:
            db.execute(_FREE, (name, call))
            return db.changes() == 1

    def running(self) -> list[StoredReply]:
        """See `Replies`."""
        with self._within() as db:
            return [StoredReply(*row) for row in db.execute(_RUNNING)]

    def older(self, than: int, most: int) -> list[StoredReply]:
        """See `Replies`."""
        with self._within() as db:
            return [StoredReply(*row) for row in db.execute(_OLDER, (than, most))]

    def oldest_kept(self, most: int) -> list[StoredReply]:
        """See `Replies`."""
        with self._within() as db:
            return [StoredReply(*row) for row in db.execute(_OLDEST, (most,))]

    def drop(self, names: Sequence[bytes]) -> None:
        """See `Replies`."""
        with self._within() as db:
            db.executemany(_DROP, [(name,) for name in names])

    def forget(self, names: Sequence[bytes]) -> None:
        """See `Replies`."""
        with self._within() as db:
            db.executemany(_FORGET, [(name,) for name in names])

    def files(self) -> dict[str, int]:
        """See `Replies`."""
        with self._within() as db:
            return dict(db.execute(_FILES))
