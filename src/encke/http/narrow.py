"""A connection's protocol for reads of 64 KiB at most (an `asyncio.BufferedProtocol` in all but its base)."""

from __future__ import annotations

from typing import Final, Protocol

READ_SIZE: Final = 64 * 1024
# One for all: what was read is taken over before the next read.
_READ: Final = bytearray(READ_SIZE)
_VIEW: Final = memoryview(_READ)


class Reader(Protocol):
    """What of a connection hears of its transport."""

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""

    def eof_received(self) -> bool:
        """The peer will send no more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""

    def pause_writing(self) -> None:
        """The peer reads slowly."""

    def resume_writing(self) -> None:
        """It has caught up."""


class NarrowReads:
    """Stands between a transport and its connection; a little dearer for each read than the connection alone."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def get_buffer(self, _: int) -> bytearray:
        """Where to read to."""
        return _READ

    def buffer_updated(self, size: int) -> None:
        """So much has been read."""
        self._reader.data_received(_VIEW[:size].tobytes())

    def eof_received(self) -> bool:
        """The peer will send no more."""
        return self._reader.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._reader.connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._reader.resume_writing()
