"""How children that load the engine's library are started."""

from __future__ import annotations

import sys
from pathlib import Path

LIBRARIES = Path(sys.prefix) / "lib" / "encke"
"""Shared libraries that the engine needs and this system lacks; `tools/env` puts them there."""


def interpreter() -> list[str]:
    """The start of a command line: Python, told where those libraries are if there are any."""
    # By `env`, since the dynamic linker reads the variable once, when a program begins.
    return [*(["env", f"LD_LIBRARY_PATH={LIBRARIES}"] if LIBRARIES.is_dir() else []), sys.executable]
