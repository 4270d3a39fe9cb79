"""What a gateway's processes hold: memory, descriptors, and, counted by themselves, objects and tasks."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

SITE = Path(__file__).with_name("census_site")
_SECONDS = 60.0


def census_environ(folder: Path) -> dict[str, str]:
    """What a gateway needs in its environment so that its processes can be counted."""
    folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "PYTHONCENSUS": str(folder)}


@dataclass(frozen=True)
class Census:
    """One process at one moment. `anonymous` (bytes) is memory that is no file's, swapped out or not, and `sqlite` what
    SQLite has of it, for its cache above all; `blocks` are pieces of memory that Python has handed out; `objects` those
    the garbage collector knows, by kind in `kinds`.
    """

    anonymous: int
    sqlite: int
    descriptors: dict[str, str]
    blocks: int
    objects: int
    tasks: int
    kinds: dict[str, int]

    def more_than(self, before: Census) -> dict[str, int]:
        """Kinds of objects of which there are more than `before`, for a message."""
        grown = {kind: count - before.kinds.get(kind, 0) for kind, count in self.kinds.items()}
        return dict(sorted(((k, n) for k, n in grown.items() if n > 20), key=lambda pair: -pair[1])[:12])


def take_census(pid: int, folder: Path) -> Census:
    """Ask a process of a gateway that was started with `census_environ`. AssertionError when it does not answer."""
    path = folder / f"{pid}.json"
    path.unlink(missing_ok=True)
    os.kill(pid, signal.SIGRTMIN + 7)  # none that means anything to a gateway
    deadline = time.monotonic() + _SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"process {pid} did not count itself"
        time.sleep(0.02)
    found = json.loads(path.read_text())
    return Census(
        anonymous(pid),
        found["sqlite"],
        descriptors(pid),
        found["blocks"],
        found["objects"],
        found["tasks"],
        found["kinds"],
    )


def anonymous(pid: int) -> int:
    """Anonymous memory and what of it is swapped out, in bytes (proc_pid_smaps(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Anonymous:", "Swap:")))


def descriptors(pid: int) -> dict[str, str]:
    """What a process has open, by number."""
    found = {}
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found[entry.name] = os.readlink(entry.path)
        except FileNotFoundError:
            continue  # closed meanwhile
    return found
