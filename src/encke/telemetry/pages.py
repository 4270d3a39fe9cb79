"""Sheets in memory that all processes share: each writes its own page, whoever is asked reads them all.

A page has two halves. A writer fills the half that is not shown and shows it then, so a reader never sees half a sheet,
and the last whole one outlives a writer that is killed. The supervisor owns the file (in memory, without a name); it
takes the pages of dead processes over into a sheet of its own, and counts `version` up before and after that, so that
no reader adds them up twice.

    file: version u64, 56 bytes | page …     page: shown u32 (0: nothing, 1, 2), 60 bytes | half | half
    half: length u32, crc32 u32 | sheet, msgpack
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib

import msgspec

from encke.telemetry.metrics import Sheet

HEAD = 64
HALF = 256 * 1024
PAGE = HEAD + 2 * HALF
TRIES = 20

_VERSION = struct.Struct("<Q")
_SHOWN = struct.Struct("<I")
_SHEET = struct.Struct("<II")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sheet).decode


def make_pages(count: int) -> int:
    """The descriptor of a new file. Its memory is taken as it is written to. Raises OSError."""
    fd = os.memfd_create("encke-metrics", os.MFD_CLOEXEC)
    os.ftruncate(fd, HEAD + count * PAGE)
    return fd


class Pages:
    """The file, mapped."""

    def __init__(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self.count = (size - HEAD) // PAGE
        self._map = mmap.mmap(fd, size)

    def write(self, page: int, sheet: Sheet) -> bool:
        """Show a sheet in place of the one before. False if it is too large, which leaves that."""
        body = _encode(sheet)
        if len(body) + _SHEET.size > HALF:
            return False
        at = HEAD + page * PAGE
        (shown,) = _SHOWN.unpack_from(self._map, at)
        next_half = 2 if shown == 1 else 1
        start = at + HEAD + (next_half - 1) * HALF
        _SHEET.pack_into(self._map, start, len(body), zlib.crc32(body))
        self._map[start + _SHEET.size : start + _SHEET.size + len(body)] = body
        _SHOWN.pack_into(self._map, at, next_half)
        return True

    def read(self, page: int) -> Sheet | None:
        """A page's sheet, None where there is none."""
        at = HEAD + page * PAGE
        for _ in range(TRIES):
            (shown,) = _SHOWN.unpack_from(self._map, at)
            if not shown:
                return None
            start = at + HEAD + (shown - 1) * HALF
            length, crc = _SHEET.unpack_from(self._map, start)
            body = self._map[start + _SHEET.size : start + _SHEET.size + length]
            if zlib.crc32(body) == crc:
                try:
                    return _decode(body)
                except msgspec.DecodeError:
                    return None
        return None

    def clear(self, page: int) -> None:
        """Show nothing there."""
        _SHOWN.pack_into(self._map, HEAD + page * PAGE, 0)

    def read_all(self) -> list[Sheet]:
        """Every sheet, each process once."""
        sheets: list[Sheet] = []
        for _ in range(TRIES):
            before = self._version()
            sheets = [sheet for page in range(self.count) if (sheet := self.read(page)) is not None]
            if before % 2 == 0 and self._version() == before:
                break
        return sheets

    def begin(self) -> None:
        """Pages will be moved about."""
        _VERSION.pack_into(self._map, 0, self._version() + 1)

    end = begin

    def _version(self) -> int:
        (version,) = _VERSION.unpack_from(self._map, 0)
        return int(version)

    def close(self) -> None:
        """Let it go."""
        self._map.close()
