"""What a file of weights says of itself: whether it brings its own way to make one vector of many.

Source: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md): "GGUF", version, number of tensors and of
pairs, then the pairs: key, type, value. Little-endian.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

# Bytes of a value by its type; strings and arrays have their lengths before them.
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING: Final = 8
_MOST_PAIRS: Final = 4096
_MOST_TEXT: Final = 1 << 20


def has_pooling(path: str) -> bool:
    """Whether it is a model of embeddings (it has a `….pooling_type`). False for what cannot be read as GGUF."""
    try:
        with open(path, "rb") as file:
            return _has_pooling(file)
    except (OSError, struct.error, ValueError):
        return False


def _has_pooling(file: BinaryIO) -> bool:
    magic, version, _, pairs = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version < 2:
        return False
    for _ in range(min(pairs, _MOST_PAIRS)):
        key = _text(file)
        if key.endswith(b".pooling_type"):
            return True
        if key.startswith(b"tokenizer."):
            return False  # what is said of the model stands before its vocabulary, which is long
        _skip(file, _number(file, "<I"))
    return False


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _text(file)
    elif kind in _SIZES:
        file.seek(_SIZES[kind], 1)
    else:
        raise ValueError(f"a value of type {kind}")  # arrays stand nowhere but in the vocabulary


def _text(file: BinaryIO) -> bytes:
    size = _number(file, "<Q")
    if size > _MOST_TEXT:
        raise ValueError(f"a text of {size} bytes")
    return file.read(size)


def _number(file: BinaryIO, form: str) -> int:
    (number,) = struct.unpack(form, file.read(struct.calcsize(form)))
    return int(number)
