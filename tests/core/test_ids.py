"""Ids are UUIDs of version 7."""

from __future__ import annotations

import time
import uuid

from encke.core.ids import IdMint


def test_ids_are_uuids_of_version_7() -> None:
    """As RFC 9562 has them: version, variant, and the time in the first 48 bits."""
    before = time.time_ns() // 1_000_000
    text = IdMint().new()
    made = uuid.UUID(text)
    assert (str(made), made.variant, made.version) == (text, uuid.RFC_4122, 7)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_no_id_comes_twice() -> None:
    """Not from one mint, and not from two that begin in the same moment, as two workers do."""
    mints = [IdMint() for _ in range(4)]
    assert len({mint.new() for _ in range(5000) for mint in mints}) == 20_000


def test_all_random_bits_are_used() -> None:
    """Every bit beside time, version and variant is sometimes 0 and sometimes 1, from mint to mint."""
    some = [uuid.UUID(IdMint().new()).int & ((1 << 76) - 1) for _ in range(400)]
    ones, zeros = 0, 0
    for number in some:
        ones |= number
        zeros |= ~number
    fixed = 0b11 << 62  # the variant
    mask = ((1 << 76) - 1) ^ fixed
    assert ones & mask == mask and zeros & mask == mask
