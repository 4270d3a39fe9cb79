"""The parent's side of the engine: start it, and ask whether it is ready."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import msgspec

from encke.local.interpreter import interpreter
from encke.local.settings import EngineSettings

_PROBE_SECONDS = 1.0
_HEALTH = b"GET /health HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"


def new_api_key() -> str:
    """A key for one run of the engine."""
    return secrets.token_urlsafe(32)


def spawn(settings: EngineSettings, alive_fd: int, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start the engine. It ends at once when the other end of the pipe `alive_fd` (a read end) is closed everywhere.

    The caller keeps the write end, and lets no other child inherit it. Nothing is to be read from the engine: its
    output goes to `settings.log`. `environ` is its environment, by default this process's.
    """
    config_fd = _settings_fd(settings)
    try:
        return subprocess.Popen(
            engine_command(config_fd, alive_fd),
            stdin=subprocess.DEVNULL,
            env=environ,
            pass_fds=(config_fd, alive_fd),
        )
    finally:
        os.close(config_fd)


def engine_command(config_fd: int, alive_fd: int) -> list[str]:
    """The command line of the engine; both descriptors must be inherited."""
    return [*interpreter(), "-m", "encke.local.engine", "--config-fd", str(config_fd), "--alive-fd", str(alive_fd)]


def probe(settings: EngineSettings) -> bool:
    """Is the engine ready for calls? False while it loads (it answers 503 then, or not at all). Blocks at most 1 s."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PROBE_SECONDS)
            sock.connect(settings.socket)
            sock.sendall(_HEALTH)
            return sock.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def _settings_fd(settings: EngineSettings) -> int:
    """A descriptor, at its start, of a file without a name (in memory, if the system can) that holds the settings."""
    fd = _unnamed_file()
    os.write(fd, msgspec.json.encode(settings))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _unnamed_file() -> int:
    if sys.platform == "linux":
        return os.memfd_create("encke-engine-settings")
    else:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
