"""The machine: Python, packages, limits, memory, certificates."""

from __future__ import annotations

import os
import platform
import re
import resource
import ssl
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from encke import __version__
from encke.calls import life
from encke.config.settings import Config
from encke.doctor.finding import Finding
from encke.providers.provider import Provider

OLDEST_PYTHON = (3, 11)
FEW_DESCRIPTORS = 4096
MiB = 1 << 20
WORKER_MEMORY = 64 * MiB
ENGINE_MEMORY = 1024 * MiB

_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9.]+)")


def programs() -> Iterator[Finding]:
    """This program, Python, and the packages it needs."""
    level = "ok" if sys.version_info[:2] >= OLDEST_PYTHON else "error"
    text = f"Encke {__version__} on Python {platform.python_version()} ({platform.system()} {platform.machine()})"
    yield Finding("python", level, text, "" if level == "ok" else "install Python 3.11 or newer")  # type: ignore[arg-type]
    yield from _packages()


def compiled(running: bool | None) -> Iterator[Finding]:
    """Whether the data plane is compiled: that of the running gateway, None if none runs; else that of a start."""
    own = not (life.__file__ or "").endswith(".py")
    if running or (running is None and own):
        yield Finding("compiled", "ok", "the data plane is compiled" + (", in the running gateway" if running else ""))
        return
    text = "a start with this command would run" if running is None else "the running gateway runs"
    todo = "start it with make serve, which compiles the data plane where a C compiler is; see docs/running.md"
    yield Finding("compiled", "note", f"{text} plain Python, at about half the speed", todo)


def _packages() -> Iterator[Finding]:
    try:
        wanted = metadata.requires("encke") or []
    except metadata.PackageNotFoundError:
        yield Finding("packages", "note", "the package is not installed, so its requirements are not known")
        return
    good = []
    for requirement in wanted:
        match = _REQUIREMENT.match(requirement)
        if match is None or "extra" in requirement:
            continue
        name, oldest = match[1], match[2]
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding("packages", "error", f"{name} is missing", f"install {name} {oldest} or newer")
            continue
        if _numbers(found) < _numbers(oldest):
            yield Finding("packages", "error", f"{name} {found} is too old", f"install {name} {oldest} or newer")
        else:
            good.append(f"{name} {found}")
    yield Finding("packages", "ok", ", ".join(good))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])


def limits(config: Config) -> Iterator[Finding]:
    """Descriptors and memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The supervisor raises its own limit to the hard one, and its children inherit that.
    streams = (hard - 64) // 2
    text = f"{hard} open files for each process (soft limit {soft}): about {streams} streams for each worker"
    few = hard < FEW_DESCRIPTORS
    yield Finding(
        "limits", "warning" if few else "ok", text, "raise the hard limit (LimitNOFILE=, ulimit -Hn)" if few else ""
    )
    wanted = config.server.workers * WORKER_MEMORY + (ENGINE_MEMORY if config.local.enabled else 0)
    free = available_memory()
    if free is not None:
        low = free < wanted
        text = f"{free // MiB} MiB of memory are available; a start wants about {wanted // MiB} MiB"
        todo = "make room, lower server.workers, or set local.enabled = false" if low else ""
        yield Finding("memory", "warning" if low else "ok", text, todo)


def available_memory() -> int | None:
    """Bytes that may still be used: of the machine, or of the container if that has less. None if nobody says."""
    found = []
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    most, used = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    if most.isdigit() and used.isdigit():
        found.append(int(most) - int(used))
    return min(found, default=None)


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def certificates(providers: Mapping[str, Provider]) -> Iterator[Finding]:
    """The system's bundle, and the files that providers name."""
    needed = [one.name for one in providers.values() if one.scheme == "https" and one.ca_file is None]
    paths = ssl.get_default_verify_paths()
    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    if not count and paths.capath and os.path.isdir(paths.capath):
        count = len(os.listdir(paths.capath))  # read one by one, when one is asked for
    if count:
        yield Finding("certificates", "ok", f"{count} in the system's bundle ({paths.cafile or paths.capath})")
    else:
        text = "the system has no bundle of certificates" + (
            f"; {', '.join(needed)} cannot be trusted" if needed else ""
        )
        todo = "install one (Debian: ca-certificates), set SSL_CERT_FILE, or give providers a ca_file"
        yield Finding("certificates", "error" if needed else "warning", text, todo)
    for provider in providers.values():
        if provider.ca_file is not None:
            own = ssl.create_default_context(cafile=provider.ca_file).cert_store_stats()["x509_ca"]
            yield Finding("certificates", "ok", f"{own} for {provider.name} in {provider.ca_file}")
