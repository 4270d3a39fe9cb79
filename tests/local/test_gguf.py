"""What a file of weights says of itself."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from encke.local.gguf import has_pooling

UINT32 = 4
STRING = 8
ARRAY = 9


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(*pairs: tuple[bytes, int, bytes]) -> bytes:
    """The head of a file with these pairs."""
    body = b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in pairs)
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + body


NAME = (b"general.name", STRING, text(b"x"))
POOLING = (b"nomic-bert.pooling_type", UINT32, struct.pack("<I", 1))
WORDS = (b"tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 1) + text(b"a"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (gguf(NAME, POOLING), True),
        (gguf(NAME, (b"a.block_count", UINT32, b"\1\0\0\0"), POOLING, WORDS), True),
        (gguf(NAME, WORDS), False),
        (gguf(), False),
        (gguf((b"odd", ARRAY, b"")), False),
        (gguf((b"odd", 99, b"")), False),
        (gguf(NAME, POOLING)[:40], False),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 1 << 60), False),
        (b"GGML" + bytes(40), False),
        (b"", False),
    ],
)
def test_a_model_of_embeddings_says_so(tmp_path: Path, data: bytes, expected: bool) -> None:
    """By its pooling; whatever else is in the file, or is no such file at all, is no error."""
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    assert has_pooling(str(path)) is expected


def test_no_file() -> None:
    """The engine itself will say that it is not there."""
    assert not has_pooling("/nonexistent/m.gguf")


@pytest.mark.model
def test_the_model_that_ships(weights_file: Path) -> None:
    """It is a chat model."""
    assert not has_pooling(str(weights_file))
