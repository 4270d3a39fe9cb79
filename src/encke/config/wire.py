"""A Config as bytes and back, secrets included: for handing to child processes through a descriptor, never a file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from encke.config.secret import Secret
from encke.config.settings import Config


def _open_up(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"no wire form for {type(value).__name__}")


def _rebuild(kind: type, value: object) -> object:
    if kind in (Secret, Path) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError(f"no wire form for {kind.__name__}")


def encode_config(config: Config) -> bytes:
    """JSON with every secret in clear."""
    return msgspec.json.encode(config, enc_hook=_open_up)


def decode_config(data: bytes) -> Config:
    """The Config that `encode_config` was given. Raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(data, type=Config, dec_hook=_rebuild)
