"""What a process holds, seen from outside: connections, descriptors, memory."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path

_STATES = {"01": "established", "08": "close_wait", "0A": "listen", "02": "syn_sent"}


def connections(pid: int) -> Counter[tuple[str, int]]:
    """A process's TCP sockets by state and by the port that says what they are.

    That is their own port where it is one it listens on, else the peer's.
    """
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    # A set, since a long table may show a socket twice while others come and go.
    mine = {(line[1], line[2], _STATES.get(line[3], line[3])) for line in lines if line[9] in inodes}
    listening = {_port(local) for local, _, state in mine if state == "listen"}
    found: Counter[tuple[str, int]] = Counter()
    for local, remote, state in mine:
        if state != "listen":
            found[state, _port(local) if _port(local) in listening else _port(remote)] += 1
    return found


def memory(pid: int, field: str = "Pss") -> int:
    """Bytes of a process's memory, a field of its `smaps_rollup`."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} of process {pid}")


def descriptors(pid: int) -> int:
    """How many files, sockets and pipes a process has open; segments of its journal come and go, and do not count."""
    found = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += not os.readlink(path).endswith(".seg")
    return found


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
