"""Processes as the bench sees them: which core, how much CPU time, how much memory, how much was stolen meanwhile.

All figures come from /proc (see proc(5)): CPU time is the first field of /proc/PID/task/TID/schedstat, in nanoseconds,
memory is Pss of /proc/PID/smaps_rollup. What the host steals and what others do on the same core spoils a figure,
so both are shown beside it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
ALL = -1  # as a core: not pinned, and figures of all cores together
_USABLE = os.sched_getaffinity(0)  # before anything is pinned


def cores() -> tuple[int, int]:
    """The core of the gateway and the core of load and upstream; the same one on a machine with a single core."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1] if len(usable) < 3 else usable[1]


def affinity(core: int) -> set[int]:
    """The cores to pin to: one, or with ALL every one that we were given."""
    return set(_USABLE) if core == ALL else {core}


def free_port() -> int:
    """A loopback TCP port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(command: Sequence[str], core: int, log: Path, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own, pinned to `core` with all that it will start; its words go to `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, affinity(core)),
        )


def stop(process: subprocess.Popen[bytes], grace: float = 15.0) -> None:
    """Ends a process started here: asks, waits `grace` seconds, then kills its whole session."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)  # the session is ours; usually nobody is left in it
    except ProcessLookupError:
        pass
    process.wait()


def tree(root: int) -> list[int]:
    """The process `root` and all its descendants, of those that live now."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def command_line(pid: int) -> str:
    """The words of its command; empty if the process is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def pin(pids: Sequence[int], core: int) -> None:
    """Pins every thread of the processes, whatever they chose for themselves since they started."""
    for pid in pids:
        for tid in _threads(pid):
            try:
                os.sched_setaffinity(tid, affinity(core))
            except ProcessLookupError:
                continue


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name (state first); empty if the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(PROC / str(pid) / "task")]
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class CpuTime:
    """CPU time of a process tree at a moment, in ns: `exact` by (process, thread), `coarse` with ended threads too."""

    exact: dict[tuple[int, int], int]
    coarse: int

    def until(self, later: CpuTime) -> int:
        """Nanoseconds spent between two moments. Threads that ended meanwhile are only in the coarse figure."""
        if self.exact.keys() - later.exact.keys():
            return later.coarse - self.coarse
        return sum(spent - self.exact.get(thread, 0) for thread, spent in later.exact.items())


def cpu_time(pids: Sequence[int]) -> CpuTime:
    """The CPU time the processes have used so far; `coarse` counts in clock ticks and includes reaped children."""
    exact: dict[tuple[int, int], int] = {}
    coarse = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            coarse += sum(int(n) for n in fields[11:15]) * (1_000_000_000 // TICK)
        for tid in _threads(pid):
            try:
                exact[pid, tid] = int((PROC / str(pid) / "task" / str(tid) / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return CpuTime(exact, coarse)


@dataclass(frozen=True)
class Memory:
    """KiB of some processes; kernel socket buffers are in neither. Pss shares out what several processes map."""

    pss: int
    rss: int


def memory(pids: Sequence[int]) -> Memory:
    """Memory of the processes together."""
    total = {"Pss": 0, "Rss": 0}
    for pid in pids:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in total:
                total[name] += int(value.split()[0])
    return Memory(total["Pss"], total["Rss"])


@dataclass(frozen=True)
class CoreTime:
    """What a core did until a moment, in clock ticks."""

    total: int
    idle: int
    steal: int

    def until(self, later: CoreTime) -> tuple[float, float]:
        """Percent busy and percent stolen between two moments."""
        total = max(later.total - self.total, 1)
        return 100 - 100 * (later.idle - self.idle) / total, 100 * (later.steal - self.steal) / total


def core_time(core: int) -> CoreTime:
    """Reads the line of one core in /proc/stat, or the first, which is of all."""
    name = "cpu" if core == ALL else f"cpu{core}"
    for line in (PROC / "stat").read_text().splitlines():
        if line.startswith(f"{name} "):
            ticks = [int(n) for n in line.split()[1:9]]
            return CoreTime(sum(ticks), ticks[3] + ticks[4], ticks[7])
    raise RuntimeError(f"/proc/stat has no line for core {core}")
