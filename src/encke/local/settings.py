"""What the engine is told, and where it listens."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path

import msgspec


class EngineError(Exception):
    """The engine cannot be started; the message says what is wrong and what to do."""


class EngineSettings(msgspec.Struct, frozen=True):
    """All the engine needs to know. It travels through a descriptor: neither arguments nor environment show the key."""

    model: str  # path of a GGUF file
    socket: str  # path of the Unix socket to listen on, see `socket_path`
    api_key: str  # random, made at every start
    log: str  # path of the log file
    context: int = 8192  # tokens per slot, prompt and answer together; 0: what the model was trained for
    slots: int = 2  # calls served at the same time
    threads: int = 0  # 0: as many as this process may use


def socket_path(data_dir: Path, name: str = "engine.sock") -> Path:
    """Where a Unix socket can be made that only this user can reach: in the data folder, or else the temporary one.

    A path may be too long (108 bytes with the final zero on Linux, 104 on BSDs), and some file systems have no
    sockets; so it is tried. Gives the same answer every time. `name` must end in ".sock" (the engine tells sockets
    from host names by it). Raises EngineError.
    """
    inside = data_dir.absolute() / name
    if _can_bind(inside):
        return inside
    mark = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:12]
    outside = Path(tempfile.gettempdir()) / f"encke-{os.getuid()}-{mark}"
    _make_private(outside)
    if _can_bind(outside / name):
        return outside / name
    raise EngineError(
        f"No Unix socket can be made in {data_dir} nor in {outside}, so the embedded model cannot be reached. "
        "Use a data folder with a shorter path, on a local disk."
    )


def _can_bind(path: Path) -> bool:
    # Same length as the real name, but another one: the real one may be in use.
    trial = path.with_name("".join(reversed(path.name)))
    try:
        trial.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(trial))
        trial.unlink()
    except OSError:
        return False
    return True


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    stat = folder.lstat()
    if folder.is_symlink() or stat.st_uid != os.getuid() or stat.st_mode & 0o077:
        raise EngineError(f"{folder} exists and is not private to this user. Remove it and start again.")
