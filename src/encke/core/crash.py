"""Named places where a process can be made to end at once, as by SIGKILL, to see what is left then.

Set by `ENCKE_CRASHPOINT` (see `encke.config.load`), for tests only. A process without a point of its own is handed
`nowhere`, and what runs for every call is not asked at all: the worker's places are in a journal of their own
(`encke.ledger.crashing`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import msgspec

# What a process that was ended by SIGKILL is reported as by a shell.
STATUS: Final = 137

# What comes before the dot is the process.
PLACES: Final[dict[str, str]] = {
    "serve.locked": "the data folder is taken",
    "serve.listening": "the listening sockets are there",
    "serve.committing": "the schema, or the first key, is about to be committed",
    "serve.key_made": "the first key is in the store",
    "supervisor.keeper_started": "the keeper was started, no worker yet",
    "supervisor.worker_started": "a worker was started",
    "supervisor.restarting": "a dead child is about to be started again",
    "keeper.starting": "the lock is taken, the store not open yet",
    "keeper.journal_made": "a worker's journal was made, and the worker not told",
    "keeper.reading": "a journal is about to be read",
    "keeper.committing": "entries were inserted, and not committed",
    "keeper.committed": "entries were committed, and their segments are still there",
    "keeper.orphans": "a dead worker's calls were settled in memory only",
    "keeper.removing": "all of a dead worker's journal is in the store, and still there",
    "keeper.granting": "leases are about to be committed",
    "keeper.granted": "they were committed, and the workers do not know",
    "keeper.forgetting": "the leases of a dead worker are about to be forgotten",
    "keeper.checkpointing": "the write-ahead log is about to be copied into the database",
    "keeper.checkpointed": "it was",
    "keeper.reply_begun": "a call has its Idempotency-Key, and the worker does not know it",
    "keeper.reply_done": "a call under one is known to be over, and the worker does not know that",
    "keeper.flushing": "a journal is about to be flushed",
    "keeper.flushed": "journals were flushed",
    "worker.starting": "nothing is known but the settings",
    "worker.linked": "the progress slots are locked, no segment known",
    "worker.serving": "the first moment in which calls are taken",
    "worker.intending": "a call is about to be recorded and sent",
    "worker.intended": "it was recorded, and not sent",
    "worker.sent": "it was sent, and nothing more was done",
    "worker.first_byte": "the first of the answer has come, and was not recorded",
    "worker.progress": "a piece of the answer was recorded, and not passed on",
    "worker.reply_kept": "the answer of a call under an Idempotency-Key is in place, its entry not written",
    "worker.settling": "the answer is whole, or broken off; its entry is about to be written",
    "worker.torn": "the entry's body was written, its length not",
    "worker.settled": "the entry was written, and the caller has not seen the end",
    "worker.syncing": "in strict durability, the journal is about to be brought to the disk",
    "worker.synced": "it was, and no caller has seen the end",
    "worker.segment": "a segment is full, the next not begun",
    "worker.segment_begun": "the next segment was begun, and has nothing in it",
}

Crash = Callable[[str], None]


class CrashPoint(msgspec.Struct, frozen=True):
    """The `nth` time that a process comes to a place."""

    place: str
    nth: int = 1


def nowhere(place: str) -> None:
    """The `Crash` of every process that is not being tested."""


def crash_at(point: CrashPoint | None) -> Crash:
    """A function to be called with the name of every place, which ends the process at the right one."""
    if point is None:
        return nowhere
    wanted, left = point.place, point.nth

    def at(place: str) -> None:
        nonlocal left
        if place == wanted:
            left -= 1
            if left == 0:
                os.write(2, b'{"event":"crash_point","place":"%b","pid":%d}\n' % (place.encode(), os.getpid()))
                os._exit(STATUS)

    return at
