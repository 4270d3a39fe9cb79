"""Names in the data folder."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from encke.core.paths import SOCKET_PATH_MAX, DataPaths


def long_folder(base: Path) -> Path:
    """A folder whose path is too long for a socket in it."""
    return base / ("x" * SOCKET_PATH_MAX)


def test_short_folder_has_the_socket_inside() -> None:
    """With a short path the keeper's socket is in the data folder."""
    assert DataPaths("data").keeper_sock == Path("data/keeper.sock")


def test_long_folder_has_a_socket_that_can_be_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a path too long for a Unix socket, the socket is in a private folder, the same one however it is spelled."""
    monkeypatch.setattr(tempfile, "tempdir", tempfile.mkdtemp(prefix="e"))
    paths = DataPaths(long_folder(tmp_path))
    paths.prepare()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(paths.keeper_sock))
    assert os.stat(paths.keeper_sock.parent).st_mode & 0o777 == 0o700
    assert DataPaths(paths.root / ".." / paths.root.name).keeper_sock == paths.keeper_sock
    assert DataPaths(str(paths.root) + "y").keeper_sock != paths.keeper_sock


def test_data_folder_is_private(tmp_path: Path) -> None:
    """A data folder that is made is its owner's alone."""
    paths = DataPaths(tmp_path / "a" / "b")
    paths.prepare()
    assert os.stat(paths.root).st_mode & 0o777 == 0o700


def test_socket_folder_that_others_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket folder with a wider mode, or that is a link, is refused: somebody else may have put it there."""
    monkeypatch.setattr(tempfile, "tempdir", tempfile.mkdtemp(prefix="e"))
    paths = DataPaths(long_folder(tmp_path))
    folder = paths.keeper_sock.parent
    folder.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="not a folder of this user alone"):
        paths.prepare()
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="not a folder of this user alone"):
        paths.prepare()
