"""`make bench`: nginx and Encke in front of the same mock upstream, the same load, in the same run (see README.md).

The gateway and all its processes are pinned to one core, load and upstream to another. Each round runs every case for
every candidate, in rotated order and with rests. Exit status: 0 measured, 1 an answer was wrong (the figures would mean
nothing), 2 something is missing on this machine or the call was wrong."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import procs
import where
from candidates import CANDIDATES, Candidate, Encke, Limited, StartError, TwoWorkers, nginx_path
from cases import Setting, Window, begin, cases, measure, measure_idle
from peers import PEERS
from report import Results, against, last_line, rows, table
from rig import BenchError, MissingTool, Upstream, build

OTHERS: tuple[type[Candidate], ...] = (TwoWorkers, Limited)  # Encke as it is not by default
KNOWN = CANDIDATES | {other.name: other for other in OTHERS} | PEERS
GENTLE = "gentle"  # the case for those that cannot do 500 requests/s; left out when there are none


def arguments() -> argparse.Namespace:
    """The command line; --quick overrides durations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5; medians of fewer mean little)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a window (default 2)")
    parser.add_argument("--rest", type=float, default=1.0, help="seconds of rest before each window (default 1)")
    parser.add_argument("--idle", type=int, default=2000, help="idle streams to open (default 2000, 0: none)")
    parser.add_argument(
        "--cases", default="", help=f"which, of: {','.join(cases(1.0))} (default: what can be compared)"
    )
    parser.add_argument("--candidates", default=",".join(CANDIDATES), help=f"which, of: {','.join(KNOWN)}")
    parser.add_argument("--peer", choices=list(PEERS), help="one more candidate (make bench PEER=NAME)")
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast")
    parser.add_argument("--free", action="store_true", help="pin nothing: gateway and load share all cores")
    parser.add_argument("--where", action="store_true", help="only where Encke's time goes, by part; needs perf")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every window to FILE")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.rest = 1, 0.4, 0.1
        options.idle = min(options.idle, 200)
    options.candidates = _known(parser, "candidate", f"{options.candidates},{options.peer or ''}", list(KNOWN))
    options.cases = _known(parser, "case", options.cases, list(cases(1.0))) or default_cases(options)
    if options.rounds < 1 or options.seconds <= 0 or options.idle < 0 or options.rest < 0:
        parser.error("--rounds must be 1 or more, --seconds above 0, --idle and --rest not below 0")
    return options


def _known(parser: argparse.ArgumentParser, what: str, given: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in known:
            parser.error(f"unknown {what} {name!r}; known are: {', '.join(known)}")
    return list(dict.fromkeys(names))


def default_cases(options: argparse.Namespace) -> list[str]:
    """All; but the gentle rate only where somebody cannot do the ordinary one."""
    if options.where:
        return ["1KB", "paced"]
    slow = any(KNOWN[name].cannot for name in options.candidates)
    return [name for name in cases(1.0) if name != GENTLE or slow]


def check_machine(options: argparse.Namespace) -> None:
    """Raises MissingTool for what this machine lacks; lets us and our children open all files we may."""
    if "nginx" in options.candidates and not nginx_path():
        raise MissingTool("nginx is needed as the measure; on Debian: apt install nginx-light")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and 2 * options.idle + 200 > hard:
        raise MissingTool(f"--idle {options.idle} needs {2 * options.idle + 200} open files, the limit is {hard}")
    if len(os.sched_getaffinity(0)) < 2:
        say("only one core: gateway and load share it, so rates and latencies mean little; CPU ratios still do")
    build()


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout holds the result only."""
    print(text, file=sys.stderr, flush=True)


def rotated(names: list[str], by: int) -> list[str]:
    """The names, another one first each time."""
    by %= max(len(names), 1)
    return names[by:] + names[:by]


def cores_for(options: argparse.Namespace) -> tuple[int, int]:
    """The cores of the gateway and of the load."""
    return (procs.ALL, procs.ALL) if options.free else procs.cores()


def create(name: str, folder: Path, setting: Setting) -> Candidate:
    """A candidate with a folder of its own, not yet started."""
    unique = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    return KNOWN[name](unique / "home", setting.upstream.port, setting.upstream.key, setting.gateway_core)


def run_round(number: int, options: argparse.Namespace, folder: Path, setting: Setting, results: Results) -> None:
    """Starts all candidates, runs every case on each, stops them."""
    started: dict[str, Candidate] = {}
    try:
        for name in rotated(options.candidates, number):
            time.sleep(setting.rest)
            started[name] = create(name, folder, setting)
            found = begin(started[name], number)
            if started[name].pids():
                results.starts.append(found)
        for i, case in enumerate(case for name, case in cases(setting.seconds).items() if name in options.cases):
            able = [name for name in options.candidates if case.name not in KNOWN[name].cannot]
            for name in rotated(able, number + i):
                window = measure(case, started[name], number, setting)
                results.windows.append(window)
                say(f"round {number + 1} {progress(window, case.unit)}")
    finally:
        for candidate in started.values():
            candidate.stop()


def progress(window: Window, unit: str) -> str:
    """One window in a line."""
    cpu = "" if window.cpu_us is None else f"{window.cpu_us:.2f} us/{unit}"
    noise = f"steal {window.steal:.0f} %, others {window.other:.0f} %"
    return f"{window.case:10}{window.candidate:9}{window.per_second:10.0f}/s{cpu:>19}  {noise}"


def run_idle(number: int, options: argparse.Namespace, folder: Path, setting: Setting, results: Results) -> None:
    """Idle streams, each candidate alone and fresh."""
    for name in rotated([name for name in options.candidates if name != "direct"], number):
        candidate = create(name, folder, setting)
        try:
            results.starts.append(begin(candidate, options.rounds + number))
            found = measure_idle(candidate, number, options.idle, setting)
        except BenchError as e:
            raise BenchError(f"{e}\n{candidate.last_words()}") from None
        finally:
            candidate.stop()
        results.idle.append(found)
        figures = f"{found.kib_per_stream:8.1f} KiB/stream, {found.cpu_percent:.2f} % CPU"
        say(f"idle {number + 1} {name:9}{found.streams:6} streams{figures}")


def run(options: argparse.Namespace) -> Results:
    """The whole bench. Raises BenchError, StartError."""
    results, (gateway_core, load_core) = Results(), cores_for(options)
    with tempfile.TemporaryDirectory(prefix="encke-bench-") as name:
        upstream = Upstream(Path(name), load_core)
        setting = Setting(options.seconds, options.rest, gateway_core, load_core, upstream)
        os.sched_setaffinity(0, procs.affinity(load_core))
        try:
            for number in range(options.rounds):
                run_round(number, options, Path(name), setting, results)
            for number in range(min(options.rounds, 3) if options.idle else 0):
                run_idle(number, options, Path(name), setting, results)
        finally:
            upstream.stop()
    return results


def show_where(options: argparse.Namespace) -> None:
    """Prints, for a request and for a chunk, what each part of Encke costs. Raises BenchError, StartError."""
    gateway_core, load_core = cores_for(options)
    with tempfile.TemporaryDirectory(prefix="encke-bench-") as name:
        upstream = Upstream(Path(name), load_core)
        setting = Setting(options.seconds, options.rest, gateway_core, load_core, upstream)
        os.sched_setaffinity(0, procs.affinity(load_core))
        try:
            for case in (found for found in cases(options.seconds).values() if found.name in options.cases):
                candidate = create(Encke.name, Path(name), setting)
                try:
                    candidate.start()
                    parts, functions = where.profile(case, candidate, setting)
                finally:
                    candidate.stop()
                print(f"{case.name}:\n{where.lines(parts, case.unit)}\n\n{where.lines(functions, case.unit, 40)}\n")
        finally:
            upstream.stop()


def versions(candidates: list[str]) -> list[str]:
    """What exactly was measured."""
    return [version for name in candidates if (version := KNOWN[name].version())]


def notes(options: argparse.Namespace) -> list[str]:
    """What was not the same for all."""
    lines = []
    for name in options.candidates:
        candidate, others = KNOWN[name], []
        others += [f"{case} with {_words(load)}" for case, load in candidate.lighter.items() if case in options.cases]
        others += [f"{case} not at all" for case in candidate.cannot if case in options.cases]
        if candidate.most_idle < options.idle:
            others.append(f"{candidate.most_idle} idle streams of {options.idle}")
        if others:
            lines.append(f"{name} cannot keep pace, so it was given: {'; '.join(others)}")
    return lines


def _words(load: Mapping[str, int]) -> str:
    return ", ".join(f"{value} {name}" for name, value in load.items())


def main() -> int:
    """Runs and prints; see the module's words for the exit status."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    try:
        check_machine(options)
        if options.where:
            where.check()
            print("versions: " + Encke.version())
            show_where(options)
            return 0
        results = run(options)
    except MissingTool as e:
        say(f"bench: {e}")
        return 2
    except (BenchError, StartError) as e:
        say(f"bench: {e}")
        return 1
    print("\n".join(["versions: " + "; ".join(versions(options.candidates)), *notes(options)]))
    print(table(results, options.candidates))
    if options.json:
        record = asdict(results) | {"medians": {row.title: row.series for row in rows(results)}}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    for name in options.candidates:
        if name not in ("direct", "nginx") and "nginx" in options.candidates:
            print(last_line(results, name))
    for other in OTHERS:
        if {Encke.name, other.name} <= set(options.candidates):
            print(against(results, other.name, Encke.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
