"""What the supervisor hands to its children, and what every child does first."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from encke.compose import EngineAddress
from encke.config.settings import Config
from encke.core.crash import CrashPoint
from encke.telemetry.events import PROCESS_LOG

Boot = TypeVar("Boot")

# A child needs no more of the environment than this: keys reach it through a descriptor, where no other program can
# see them.
_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("LC_", "PYTHON", "COVERAGE", "OMP_")


class WorkerBoot(msgspec.Struct, frozen=True):
    """What a worker is told. `config` is `encke.config.wire`'s JSON; descriptors keep their numbers. Orders come over
    `control_fd`; `generation` counts the reloads. `admin_fd` is the operators' socket, -1 for none; `metrics`: they
    share the other one. `pages_fd` and `page`: where it writes what it has to tell."""

    config: bytes
    provider_keys: dict[str, str]
    epoch: int
    listen_fd: int
    alive_fd: int
    ready_fd: int
    control_fd: int
    engine: EngineAddress | None
    generation: int
    admin_fd: int
    metrics: bool
    pages_fd: int
    page: int
    crash: CrashPoint | None = None


class KeeperBoot(msgspec.Struct, frozen=True):
    """What the keeper is told."""

    config: bytes
    alive_fd: int
    ready_fd: int
    pages_fd: int
    page: int
    crash: CrashPoint | None = None


# What a terminal sends to every process in it; the supervisor decides what it means.
_TERMINALS = {signal.SIGINT, signal.SIGHUP}


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Processes started within are deaf to a Ctrl-C from their first moment, not only from `read_boot` on, where Python
    would die of it with a traceback. Blocked, not ignored: the one that comes meanwhile still reaches this process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that children get."""
    return {name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def write_boot(boot: object) -> int:
    """A descriptor from which a child reads `boot`; it has no name in any file system."""
    fd = os.memfd_create("encke-boot", 0)
    os.write(fd, msgspec.msgpack.encode(boot))
    os.set_inheritable(fd, True)
    return fd


def read_boot(kind: type[Boot]) -> Boot:
    """The child's side; the descriptor's number is the only argument."""
    for number in _TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    fd = int(sys.argv[1])
    size = os.fstat(fd).st_size
    data = os.pread(fd, size, 0)
    os.close(fd)
    return msgspec.msgpack.decode(data, type=kind)


def say_ready(fd: int) -> None:
    """Tell the supervisor that this child does its work."""
    try:
        os.write(fd, b"R")
    except OSError:
        pass  # it has gone; the alive pipe tells that too


def log(event: str, fields: Mapping[str, Any], role: str) -> None:
    """A line of the process log, see `encke.telemetry.events`."""
    PROCESS_LOG.write(event, fields, role)


def use_log(config: Config) -> None:
    """Write it as the settings say, from now on."""
    PROCESS_LOG.use(config.log.format, config.log.level)
