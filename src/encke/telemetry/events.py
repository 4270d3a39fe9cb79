"""The process log: one line per event on standard error, as JSON or as text. Every event there is stands in `EVENTS`.

A line has `time`, `level`, `role`, `pid`, `event` and the event's own fields; never a prompt, an answer or a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

LEVELS = ("info", "warning", "error")
Level = Literal["info", "warning", "error"]
Format = Literal["json", "text"]


class Event(NamedTuple):
    """`roles` for people; `fields` are those of its own."""

    level: Level
    roles: str
    meaning: str
    fields: str = ""


EVENTS: dict[str, Event] = {
    "child_ended": Event(
        "error", "supervisor", "A process ended unasked; another follows.", "child, pid_ended, status"
    ),
    "child_not_started": Event(
        "error", "supervisor", "A process could not be started; it is tried again.", "child, reason"
    ),
    "worker_retired": Event(
        "info", "supervisor", "A replaced worker has finished its last calls.", "child, pid_ended, status"
    ),
    "workers_restarting": Event("info", "supervisor", "A round of new workers begins.", "workers"),
    "workers_restarted": Event("info", "supervisor", "The round is over.", "workers, retiring"),
    "workers_not_restarted": Event("error", "supervisor", "The round ended early.", "reason, replaced, kept"),
    "config_reloaded": Event(
        "info", "supervisor", "New settings are in use.", "generation, changed, need_restart, problems, seconds"
    ),
    "config_refused": Event(
        "error", "supervisor", "New settings cannot be used; the old ones stay.", "generation, problems"
    ),
    "control_not_made": Event("error", "supervisor", "The socket for commands could not be made.", "reason"),
    "run_json_not_written": Event("warning", "supervisor", "`run.json` could not be written.", "reason"),
    "stopping": Event("info", "supervisor", "The gateway was told to stop.", "grace"),
    "stopped": Event("info", "supervisor", "All processes have ended."),
    "locked_out": Event("error", "keeper", "Another gateway's keeper does not give the database up.", "path"),
    "store_not_opened": Event("error", "keeper", "The database, or the pepper, cannot be used.", "reason"),
    "store_unavailable": Event(
        "error", "keeper", "The database takes no entries; they wait in the journals.", "reason, waiting"
    ),
    "store_available": Event("info", "keeper", "The database takes entries again."),
    "leases_unavailable": Event(
        "error", "keeper", "The database takes no grants: calls with limits are refused.", "reason"
    ),
    "leases_available": Event("info", "keeper", "It does again."),
    "checkpoint_failed": Event("warning", "keeper", "Housekeeping of the database failed.", "reason"),
    "orphans_settled": Event("warning", "keeper", "What a dead worker had under way was settled.", "epoch, count"),
    "journal_damaged": Event("error", "keeper", "A piece of a journal cannot be read.", "segment"),
    "journal_full": Event("error", "keeper", "Too much waits for the database: calls are refused.", "waiting"),
    "journal_free": Event("info", "keeper", "Calls are taken again.", "waiting"),
    "journal_not_made": Event("error", "keeper", "A worker's journal could not be made; it asks again.", "reason"),
    "journal_not_flushed": Event("error", "keeper", "A journal could not be flushed to the disk.", "file, reason"),
    "journal_not_synced": Event("error", "worker", "Strict durability: the journal cannot be synced.", "reason"),
    "journal_synced": Event("info", "worker", "It can be again."),
    "reply_not_removed": Event("warning", "keeper", "An answer that was kept could not be removed.", "reason"),
    "keys_not_pushed": Event("error", "keeper", "Workers do not know the last change of keys yet.", "reason"),
    "access_log_unavailable": Event(
        "error", "worker", "The access log cannot be opened any more; this worker serves without one.", "reason"
    ),
    "fenced": Event("error", "worker", "The keeper took this worker for dead; it ends, another follows.", "epoch"),
    "loop": Event("error", "worker", "The event loop had to report something.", "message"),
    "crash": Event("error", "worker", "A fault of the gateway inside a call: its type, and where.", "type, at"),
}


class ProcessLog:
    """Writes a process's lines. `format` and `level` may change at any time."""

    def __init__(self) -> None:
        self.format: str = "json"
        self.level: str = "info"

    def use(self, format: str, level: str) -> None:
        """Other settings from now on."""
        self.format, self.level = format, level

    def write(self, event: str, fields: Mapping[str, Any], role: str) -> None:
        """One line, in one write; nothing below the level."""
        level = EVENTS[event].level if event in EVENTS else "error"
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self.format == "text":
            told = " ".join(f"{name}={_text(value)}" for name, value in fields.items())
            line = f"{stamp} {level.upper()} {role}[{os.getpid()}] {event} {told}".rstrip().encode()
        else:
            # `event` and what tells the sort of line first: programs and people look for them there.
            head = {"level": level, "role": role, "pid": os.getpid(), "event": event}
            line = msgspec.json.encode({**head, "time": stamp, **fields})
        try:
            os.write(2, line + b"\n")
        except OSError:
            pass


def _text(value: object) -> str:
    """JSON, without the quotes of a plain word: on one line, whatever is in it."""
    text = msgspec.json.encode(value).decode()
    bare = text[1:-1]
    plain = isinstance(value, str) and bare.isprintable() and not set(' "=\\') & set(bare) and bare
    return bare if plain else text


PROCESS_LOG = ProcessLog()
