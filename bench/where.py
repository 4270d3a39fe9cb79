"""`run.py --where`: where Encke's microseconds go, by process and by library or module, as `perf` samples them.

For each case one window runs under `perf record` (the clock as the event, so it works without hardware counters, as in
most virtual machines). The shares of the samples are applied to the CPU time that the kernel booked for the same
processes in the same window, so that the columns add up to what the bench measures, sampling's own cost included."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import procs
from candidates import Candidate
from cases import Case, Setting, fitted
from parts import part_of
from prompts import chat_body
from report import aligned
from rig import BenchError, MissingTool, load

ROLES = (("worker", "encke.run_worker"), ("keeper", "encke.run_keeper"), ("supervisor", ""))
LEAST = 0.05  # us; smaller parts are summed up
SAMPLES = 1999  # a second, and not in step with anything


def check() -> None:
    """Raises MissingTool if there is no perf, or if it may not be used."""
    if not shutil.which("perf"):
        raise MissingTool("perf is needed for --where; on Debian: apt install linux-perf")
    command = ["perf", "record", "--quiet", "-e", "cpu-clock", "-o", os.devnull, "true"]
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode:
        raise MissingTool(
            "perf may not be used here: run as root, or lower the sysctl kernel.perf_event_paranoid to 1. "
            f"It says: {tried.stderr.strip()}"
        )


def by_role(pids: Sequence[int]) -> dict[str, list[int]]:
    """The gateway's processes, by what they do."""
    found: dict[str, list[int]] = {}
    for pid in pids:
        line = procs.command_line(pid)
        role = next(role for role, word in ROLES if word in line)
        found.setdefault(role, []).append(pid)
    return found


class Recorder:
    """`perf record` over some processes, from `start` to `stop`."""

    def __init__(self, file: Path, pids: Sequence[int], core: int) -> None:
        self.file, self.pids, self.core = file, pids, core

    def start(self) -> None:
        """Returns when it samples."""
        pids = ",".join(map(str, self.pids))
        command = ["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES), "-p", pids, "-o", str(self.file)]
        self.process = procs.start(command, self.core, self.file.with_suffix(".log"))
        time.sleep(0.7)  # it says nothing when it has attached
        if self.process.poll() is not None:
            raise BenchError(f"perf ended: {self.file.with_suffix('.log').read_text()[-1000:]}")

    def stop(self) -> None:
        """Returns when the file is whole."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def samples(self) -> Counter[tuple[int, str, str]]:
        """(process, file, function) -> samples."""
        command = ["perf", "script", "-i", str(self.file), "-F", "pid,ip,sym,dso"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=True)
        return count(done.stdout.splitlines())


def count(lines: Iterable[str]) -> Counter[tuple[int, str, str]]:
    """The lines of `perf script -F pid,ip,sym,dso`: "  PID  ADDRESS FUNCTION (FILE)"."""
    found: Counter[tuple[int, str, str]] = Counter()
    for line in lines:
        words = line.split(None, 2)
        if len(words) == 3 and words[0].isdigit() and words[2].endswith(")"):
            function, _, file = words[2][:-1].rpartition(" (")
            found[int(words[0]), file, function] += 1
    return found


Table = dict[str, dict[str, float]]  # part or function -> role -> us per unit


def profile(case: Case, candidate: Candidate, setting: Setting) -> tuple[Table, Table]:
    """Runs one window under perf; returns the table of parts and that of functions. Raises BenchError."""
    case = fitted(case, candidate)
    body = chat_body(candidate.model, case.size, **case.marker)
    warm = chat_body(candidate.model, case.size)
    load(candidate, warm, setting.load_core, mode="closed", connections=32, seconds=0.5 * setting.seconds)
    time.sleep(setting.rest)
    roles = by_role(candidate.pids())
    recorder = Recorder(candidate.folder / "perf.data", candidate.pids(), setting.load_core)
    recorder.start()
    before = {role: procs.cpu_time(pids) for role, pids in roles.items()}
    told = load(candidate, body, setting.load_core, **case.options)
    time.sleep(min(setting.rest, 0.5))
    spent = {role: before[role].until(procs.cpu_time(pids)) / 1000 for role, pids in roles.items()}
    recorder.stop()
    units = told["deltas"] if case.unit == "chunk" else told["done"]
    spent = {role: us / units for role, us in spent.items()}
    samples = recorder.samples()
    return shared_out(samples, roles, spent, part_of), shared_out(samples, roles, spent, function_of)


def function_of(file: str, function: str) -> str:
    """A function, with the part it belongs to."""
    return f"{function}  [{part_of(file, function)}]"


def shared_out(
    samples: Counter[tuple[int, str, str]],
    roles: dict[str, list[int]],
    spent: dict[str, float],
    group: Callable[[str, str], str],
) -> Table:
    """Each role's us per unit, divided among the parts by their samples."""
    role_of = {pid: role for role, pids in roles.items() for pid in pids}
    hits: dict[str, Counter[str]] = defaultdict(Counter)
    for (pid, file, function), number in samples.items():
        if pid in role_of:
            hits[role_of[pid]][group(file, function)] += number
    table: Table = defaultdict(dict)
    for role, parts in hits.items():
        for part, number in parts.items():
            table[part][role] = spent[role] * number / parts.total()
    return table


def summed(columns: Iterable[dict[str, float]]) -> dict[str, float]:
    """Role by role."""
    total: dict[str, float] = defaultdict(float)
    for column in columns:
        for role, us in column.items():
            total[role] += us
    return total


def lines(table: Table, unit: str, most: int = 100) -> str:
    """The table as text, the dearest first; all but `most`, and what is small, in one line."""
    rows: list[tuple[str, dict[str, float]]] = sorted(table.items(), key=lambda item: -sum(item[1].values()))
    large = [(part, roles) for part, roles in rows if sum(roles.values()) >= LEAST][:most]
    rest, total = summed(roles for _, roles in rows[len(large) :]), summed(roles for _, roles in rows)
    names = [role for role, _ in ROLES]
    text = [[f"us per {unit}", *names, "all"]]
    for part, found in (*large, ("all others", rest), ("all", total)):
        text.append([part, *(f"{found.get(name, 0):.2f}" for name in names), f"{sum(found.values()):.2f}"])
    return aligned(text)
