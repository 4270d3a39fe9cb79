"""Where the gateway is."""

from __future__ import annotations

from pathlib import Path

import pytest

from encke.cli.gateway import address
from encke.config.settings import Config, Server


@pytest.mark.parametrize(
    ("run_json", "expected"),
    [
        (None, ("127.0.0.1", 8080)),
        (b'{"pid": 7, "listen": "127.0.0.1:49152"}', ("127.0.0.1", 49152)),
        (b'{"listen": "0.0.0.0:9000"}', ("127.0.0.1", 9000)),
        (b'{"listen": "[::]:9000"}', ("::1", 9000)),
        (b'{"pid": 7}', ("127.0.0.1", 8080)),
        (b'{"listen": 7}', ("127.0.0.1", 8080)),
        (b'{"pid"', ("127.0.0.1", 8080)),
    ],
)
def test_address(tmp_path: Path, run_json: bytes | None, expected: tuple[str, int]) -> None:
    """What runs is asked before what is set; a file that makes no sense counts as none; "everywhere" means here."""
    if run_json is not None:
        (tmp_path / "run.json").write_bytes(run_json)
    assert address(Config(tmp_path, server=Server(listen="127.0.0.1:8080", workers=1))) == expected
