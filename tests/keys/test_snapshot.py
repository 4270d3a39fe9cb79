"""Snapshots in parts."""

from __future__ import annotations

import msgspec
import pytest

from encke.keys.grant import Limit, Rules
from encke.keys.granting import Changes, KeyRow, LevelRow, pack
from encke.keys.snapshot import PART_BYTES, OutOfStep, Part, Received, parts

MANY = 20_000
LEVELS = ([(1, LevelRow("default"))], [(id, LevelRow(f"p{id}", 1, None, (), Rules(("gpt-*",)))) for id in range(1, 99)])


def digest(number: int) -> bytes:
    """Of a key."""
    return number.to_bytes(32, "big")


def changes(version: int, numbers: range) -> Changes:
    """So many keys."""
    rows = [(digest(n), pack(KeyRow(f"{n:012d}", f"key {n}", 1, 1 + n % 98))) for n in numbers]
    return Changes(version, *LEVELS, rows)


def sent(part: Part) -> Part:
    """What comes out of the wire."""
    body = msgspec.msgpack.encode(part)
    assert len(body) < PART_BYTES + 4096
    return msgspec.convert(msgspec.msgpack.decode(body), Part)


def test_many_keys_come_in_parts() -> None:
    """Twenty thousand keys come whole, in small messages, and nothing changes for callers before the last."""
    received = Received()
    received.take(Part(1, None, b"old", keys=[(digest(MANY), pack(KeyRow("x", "x", 1, 1)))]))
    pieces = list(parts(changes(5, range(MANY)), None, b"pepper"))
    assert len(pieces) > 10 and [piece.more for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    for piece in pieces:
        assert (received.version, received.pepper) == (1, b"old")
        assert received.take(sent(piece)) is not piece.more
    assert (received.version, received.pepper, len(received.grants)) == (5, b"pepper", MANY)
    found = received.grants.find(digest(97))
    assert found is not None and (found.name, found.project) == ("key 97", 98) and received.grants.find(b"x") is None


def test_changes_follow() -> None:
    """What has changed is applied part by part; the version is the new one with the last."""
    received = Received()
    for piece in parts(changes(5, range(3)), None, b"p"):
        received.take(piece)
    later = Changes(6, [], [], [*((digest(0), None),), *changes(6, range(3, 3_000)).keys])
    pieces = list(parts(later, 5, b"p"))
    assert len(pieces) > 1
    for piece in pieces:
        assert received.version == 5 and received.take(sent(piece))
    assert received.version == 6 and received.grants.find(digest(0)) is None and len(received.grants) == 2_999


def test_out_of_step() -> None:
    """Changes that do not lead on from what is known are refused."""
    received = Received()
    for known, since in ((-1, 5), (5, 4), (5, 6)):
        assert received.version == known
        with pytest.raises(OutOfStep):
            received.take(Part(9, since, b"p"))
        for piece in parts(changes(5, range(3)), None, b"p"):
            received.take(piece)


def test_a_keeper_that_dies_in_the_middle() -> None:
    """What it had begun to tell is forgotten; the next begins at the beginning, and nothing of the first stays."""
    received = Received()
    first, *_ = parts(changes(5, range(MANY)), None, b"p")
    received.take(first)
    received.lost()
    for piece in parts(changes(6, range(MANY, MANY + 10)), None, b"p"):
        received.take(piece)
    assert received.version == 6 and len(received.grants) == 10


def test_a_row_larger_than_a_part() -> None:
    """It goes alone."""
    rules = Rules(models=tuple(f"model-{number}-{'x' * 200}" for number in range(2_000)))
    big = pack(KeyRow("K", "k", 1, 1, None, None, (Limit(1, "budget", 1, ""),), rules))
    pieces = list(parts(Changes(1, *LEVELS, [(digest(1), big), (digest(2), big), (digest(3), None)]), None, b"p"))
    assert len(big) > PART_BYTES and [len(piece.keys) for piece in pieces if piece.keys] == [1, 1, 1]
