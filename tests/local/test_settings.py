from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from encke.local.settings import EngineError, socket_path


def test_the_socket_is_in_the_data_folder(tmp_path: Path) -> None:
    """An ordinary data folder holds the socket, under an absolute path, and no trace of the trial is left."""
    assert socket_path(tmp_path) == tmp_path / "engine.sock"
    assert list(tmp_path.iterdir()) == []


def test_too_long_a_path_moves_it_to_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other place can be bound, is private, ends in .sock and is the same every time."""
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        deep = tmp_path / ("d" * 100)
        deep.mkdir()
        path = socket_path(deep)
        assert path.is_relative_to(short) and path.name == "engine.sock"
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
        assert socket_path(deep) == path


def test_a_folder_others_can_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have made that folder in the shared temporary one before us."""
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        deep = tmp_path / ("d" * 100)
        deep.mkdir()
        socket_path(deep).parent.chmod(0o755)
        with pytest.raises(EngineError, match="not private"):
            socket_path(deep)
