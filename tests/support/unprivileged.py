"""Doing without root's rights, so that modes of files mean something where the tests run as root."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """For the block, this process is not root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """A folder that belongs to the user of `unprivileged()`, reachable by it (pytest's own are not)."""
    path = Path(tempfile.mkdtemp())
    try:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        yield path
    finally:
        path.chmod(0o700)
        shutil.rmtree(path)
