"""A Config survives the way to a child process."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from encke.config.settings import Config
from encke.config.wire import decode_config, encode_config

from .conftest import LoadText


def test_round_trip(load_text: LoadText) -> None:
    """Everything arrives, secrets and paths included."""
    config = load_text(
        """
        server.cors_origins = ["*"]
        [providers.lab]
        api_key = "k"
        headers = { x-a = "1" }
        timeouts.idle = 0.5
        [models."a/b"]
        targets = [{ provider = "lab", model = "m" }]
        """
    )
    copy = decode_config(encode_config(config))
    assert copy == config
    assert isinstance(copy.data_dir, Path)
    key = copy.providers["lab"].api_key
    assert key is not None and key.reveal() == "k"


def test_defaults_round_trip(tmp_path: Path) -> None:
    """No file is no file afterwards."""
    config = Config(data_dir=tmp_path)
    assert decode_config(encode_config(config)) == config


@pytest.mark.parametrize("data", [b"", b"{}", b'{"data_dir": 1}', b'{"data_dir": "d", "server": {"workers": "x"}}'])
def test_other_bytes_are_refused(data: bytes) -> None:
    """What is no Config is a decoding error."""
    with pytest.raises((msgspec.DecodeError, NotImplementedError)):
        decode_config(data)
