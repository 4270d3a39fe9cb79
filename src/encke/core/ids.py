"""Ids: UUIDv7 (RFC 9562, section 5.7), so that they sort by time."""

from __future__ import annotations

import os
import time


class IdMint:
    """Makes UUIDv7 strings. One urandom call serves 512 ids: a system call each would cost more than the rest."""

    def __init__(self) -> None:
        self._pool = ""
        self._at = 0

    def new(self) -> str:
        """A fresh id, such as `019aa2b4-6c1e-7d3a-9f00-3c5d0c1e2f4a`."""
        at = self._at
        pool = self._pool
        if at >= len(pool):
            self._pool = pool = os.urandom(10 * 512).hex()
            at = 0
        self._at = at + 20
        ms = f"{time.time_ns() // 1_000_000:012x}"
        variant = "89ab"[int(pool[at + 3], 16) & 3]
        return f"{ms[:8]}-{ms[8:]}-7{pool[at : at + 3]}-{variant}{pool[at + 4 : at + 7]}-{pool[at + 8 : at + 20]}"
