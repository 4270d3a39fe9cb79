"""What the system knows of processes: memory and descriptors. Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from encke.telemetry.metrics import Sheet, Values, labels

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Size(NamedTuple):
    """`fds` is None where the kernel (before 6.2) does not tell without counting them one by one."""

    memory: int
    fds: int | None


def size_of(pid: int) -> Size | None:
    """What a process takes now; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        fds = os.stat(f"/proc/{pid}/fd").st_size or None
    except OSError:
        return None
    return Size(int(fields[21]) * _PAGE_BYTES, fds)


def measure(pids: Mapping[str, Sequence[int]]) -> Sheet:
    """The processes of each role together."""
    memory: Values = {}
    fds: Values = {}
    for role, processes in pids.items():
        key = labels(role=role)
        for found in filter(None, map(size_of, processes)):
            memory[key] = memory.get(key, 0.0) + found.memory
            if found.fds is not None:
                fds[key] = fds.get(key, 0.0) + found.fds
    return Sheet(gauges={"encke_process_resident_memory_bytes": memory, "encke_process_open_fds": fds})
