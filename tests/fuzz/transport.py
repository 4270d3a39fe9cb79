"""A transport without a socket: it keeps what is written, and says what was done to it."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from encke.http.sweep import Sweeper


@cache
def sweeper() -> Sweeper:
    """A sweeper that is never started: its time stands still, and deadlines are called by hand."""
    return Sweeper(asyncio.new_event_loop())


class FakeTransport(asyncio.Transport):
    """Both sides of the gateway write to it. `ended` when nothing may be written any more."""

    def __init__(self) -> None:
        super().__init__()
        self.out = bytearray()
        self.ended = False
        self.aborted = False
        self.reading = True

    def write(self, data: Any) -> None:
        """Keep what is written; after the end that is a bug."""
        assert not self.ended, f"written after the end: {bytes(data)[:80]!r}"
        self.out += data

    def write_eof(self) -> None:
        """The sending side ends."""
        self.ended = True

    def can_write_eof(self) -> bool:
        """As TCP."""
        return True

    def close(self) -> None:
        """The connection ends in order."""
        self.ended = True

    def abort(self) -> None:
        """The connection ends at once."""
        self.ended = self.aborted = True

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.aborted

    def pause_reading(self) -> None:
        """No more bytes, please."""
        self.reading = False

    def resume_reading(self) -> None:
        """Go on."""
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        """Nothing is ever buffered."""
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """A peer, and no socket."""
        return ("192.0.2.1", 4711) if name == "peername" else default
