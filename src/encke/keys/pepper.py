"""The pepper: 32 random bytes beside the database, so that a stolen database gives no working key.

It is made once, with an empty store. Losing it makes every key useless, so it is never replaced silently.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from encke.core.paths import flush

SIZE = 32


class PepperError(Exception):
    """The pepper is missing, damaged or readable by others; the message says which and what to do."""


def load_pepper(path: Path, *, keys_exist: bool) -> bytes:
    """The pepper at `path`. Made if there is none and the store holds no keys yet. Raises PepperError.

    The caller holds the data folder's lock, so that two first starts cannot make two.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if keys_exist:
            raise PepperError(
                f"{path} is missing, but the store holds keys that only work with it; put it back from a backup, "
                "or move the store away and create new keys"
            ) from None
        return _make(path)
    except OSError as error:
        raise PepperError(f"cannot read {path}: {error.strerror}") from None
    try:
        return _read(fd, path, keys_exist)
    finally:
        os.close(fd)


def _read(fd: int, path: Path, keys_exist: bool) -> bytes:
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise PepperError(f"{path} is not a file")
    if mode & 0o077:
        raise PepperError(f"{path} can be reached by other users (mode {mode & 0o777:04o}); run: chmod 600 {path}")
    found = os.read(fd, SIZE + 1)
    if len(found) != SIZE:
        advice = "put it back from a backup" if keys_exist else "no key depends on it: remove it and start again"
        size = f"{len(found)} bytes" if len(found) <= SIZE else f"more than {SIZE} bytes"
        raise PepperError(f"{path} has {size} instead of {SIZE}; {advice}")
    return found


def _make(path: Path) -> bytes:
    made = os.urandom(SIZE)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, made)
            os.fsync(fd)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(fd)
        flush(path.parent)  # a lost pepper would cost every key made with it
    except OSError as error:
        raise PepperError(f"cannot create {path}: {error.strerror}") from None
    return made
