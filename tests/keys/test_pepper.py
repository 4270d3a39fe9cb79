"""The pepper file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encke.keys.pepper import PepperError, load_pepper


def test_made_once(tmp_path: Path) -> None:
    """The first start makes 32 random bytes for the owner alone; later ones read them."""
    path = tmp_path / "pepper"
    made = load_pepper(path, keys_exist=False)
    assert len(made) == 32 and made != load_pepper(tmp_path / "other", keys_exist=False)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert load_pepper(path, keys_exist=True) == load_pepper(path, keys_exist=False) == made


def test_missing_with_keys_is_refused(tmp_path: Path) -> None:
    """A lost pepper is never replaced while there are keys: they would all stop working."""
    with pytest.raises(PepperError, match="is missing, but the store holds keys"):
        load_pepper(tmp_path / "pepper", keys_exist=True)
    assert not (tmp_path / "pepper").exists()


@pytest.mark.parametrize("size", [0, 31, 33, 5000])
def test_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    """A file of another size is refused and left as it is."""
    path = tmp_path / "pepper"
    path.write_bytes(b"x" * size)
    path.chmod(0o600)
    with pytest.raises(PepperError, match="instead of 32; put it back"):
        load_pepper(path, keys_exist=True)
    with pytest.raises(PepperError, match="remove it"):
        load_pepper(path, keys_exist=False)
    assert path.stat().st_size == size


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_reachable_by_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A pepper that other users may read or write is refused, and the message says how to mend it."""
    path = tmp_path / "pepper"
    load_pepper(path, keys_exist=False)
    path.chmod(mode)
    with pytest.raises(PepperError, match=f"chmod 600 {path}"):
        load_pepper(path, keys_exist=True)


def test_not_a_file(tmp_path: Path) -> None:
    """A folder in its place, or a folder that is missing, is refused with a sentence."""
    (tmp_path / "pepper").mkdir()
    with pytest.raises(PepperError, match="not a file"):
        load_pepper(tmp_path / "pepper", keys_exist=False)
    with pytest.raises(PepperError, match="cannot create"):
        load_pepper(tmp_path / "none" / "pepper", keys_exist=False)


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the bytes cannot be written there is no half pepper that would stop the next start."""

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PepperError, match="No space left"):
        load_pepper(tmp_path / "pepper", keys_exist=False)
    assert not (tmp_path / "pepper").exists()
