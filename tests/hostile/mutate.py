"""Seeded mutations of the corpus: what is one byte, one cut or one field away from a case."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.hostile.corpus import Case

# Bytes that mean something to somebody who parses HTTP or JSON.
TELLING = [bytes([byte]) for byte in b"\0\t\n\r \"',/:;=?@[\\]{}\x7f\x80\xff0159Aaefnt-+.%#&*<>_"]
Mutation = Callable[[random.Random, bytes], bytes]


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(TELLING) * rng.choice((1, 1, 1, 2, 300)) + data[at:]


def _replace(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.choice(TELLING) + data[at + 1 :]


def _remove(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 1, 2, 8, 40)) :]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _repeat_line(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = rng.randrange(len(lines))
    lines[at:at] = [lines[at]] * rng.choice((1, 1, 2, 120))
    return b"\r\n".join(lines)


def _swap_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def _repeat_piece(rng: random.Random, data: bytes) -> bytes:
    begin = rng.randrange(len(data))
    end = min(begin + rng.choice((1, 4, 16, 64)), len(data))
    return data[:end] + data[begin:end] * rng.choice((1, 3, 50)) + data[end:]


def _other_case(rng: random.Random, data: bytes) -> bytes:
    return data[: (at := rng.randrange(len(data)))] + data[at:].swapcase()


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _insert, _replace, _remove, _cut, _repeat_line, _swap_lines, _repeat_piece, _other_case),
)


def mutants(cases: list[Case], count: int, seed: int) -> Iterator[bytes]:
    """`count` distinct mutants: of the cases that are sent in one piece of up to 4 KiB, mutated once to three times."""
    rng = random.Random(seed)
    seeds = [case.data for case in cases if len(case.steps) == 1 and 0 < len(case.data) <= 4096]
    seen = set(seeds)
    while count:
        data = rng.choice(seeds)
        for _ in range(rng.choice((1, 1, 2, 3))):
            data = rng.choice(MUTATIONS)(rng, data) or b"\r"
        if data not in seen:
            seen.add(data)
            count -= 1
            yield data


def splice(cases: list[Case], count: int, seed: int) -> Iterator[bytes]:
    """`count` distinct requests made of the head of one case and the rest of another."""
    rng = random.Random(seed)
    seeds = [case.data for case in cases if len(case.steps) == 1 and b"\r\n\r\n" in case.data[:4096]]
    seen = set(seeds)
    while count:
        one, other = rng.choice(seeds), rng.choice(seeds)
        data = one[: one.index(b"\r\n\r\n") + 4] + other[other.index(b"\r\n\r\n") + 4 :]
        if data not in seen and len(data) < 8192:
            seen.add(data)
            count -= 1
            yield data
