"""A fault of ours, told to the process's log: where it happened, never what it said, which may quote a caller."""

from __future__ import annotations

import traceback
from typing import Final

from encke.telemetry.events import PROCESS_LOG

MAX_FRAMES: Final = 6


def report(error: BaseException) -> None:
    """Write one JSON line about an exception to standard error: its type, and the innermost frames of its trace."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    PROCESS_LOG.write("crash", {"type": type(error).__name__, "at": where}, "worker")
