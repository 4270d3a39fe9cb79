"""What is measured, and how one window of it runs: rest, warm-up, rest, the window, a moment to settle."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import procs
from candidates import Candidate
from prompts import chat_body
from rig import BenchError, Held, Upstream, load

CHUNK_EVERY = 0.02  # seconds between two chunks of a paced stream


@dataclass(frozen=True)
class Case:
    """One kind of load. `unit` is what CPU time is divided by: a request or a chunk."""

    name: str
    unit: str
    size: int  # bytes of the request
    options: dict[str, Any]  # for the load generator
    marker: dict[str, int] = field(default_factory=dict)  # for the upstream


@dataclass(frozen=True)
class Setting:
    """How long and on which cores."""

    seconds: float
    rest: float
    gateway_core: int
    load_core: int
    upstream: Upstream


@dataclass(frozen=True)
class Window:
    """One measured window. Times in microseconds, shares in percent; `cpu_us` is None without a gateway."""

    round: int
    case: str
    candidate: str
    cpu_us: float | None
    per_second: float
    p50_us: float
    p99_us: float
    chunk_p50_us: float
    chunk_p99_us: float
    gateway_busy: float
    load_busy: float
    steal: float
    other: float  # what processes that are not ours did on the gateway's core
    load_steal: float
    upstream_connects: int


def cases(seconds: float) -> dict[str, Case]:
    """All cases, by name, for windows of about `seconds`."""
    paced = max(int(1.5 * seconds / CHUNK_EVERY), 5)
    table = (
        Case("1KB", "request", 1024, {"mode": "closed", "connections": 32, "seconds": seconds}),
        Case("30KB", "request", 30 * 1024, {"mode": "closed", "connections": 32, "seconds": seconds}),
        Case(
            "paced",
            "chunk",
            1024,
            {"mode": "closed", "connections": 100, "seconds": 0.05, "spread_us": 0, "stream": 1, "chunks": paced},
            {"chunks": paced, "interval_us": int(CHUNK_EVERY * 1e6)},
        ),
        Case(
            "saturated",
            "chunk",
            1024,
            {"mode": "closed", "connections": 32, "seconds": seconds, "stream": 1, "chunks": 1000},
            {"chunks": 1000},
        ),
        Case("rate", "request", 1024, {"mode": "rate", "connections": 32, "rate": 500, "seconds": 1.5 * seconds}),
        Case("gentle", "request", 1024, {"mode": "rate", "connections": 32, "rate": 10, "seconds": 2.5 * seconds}),
    )
    return {case.name: case for case in table}


def fitted(case: Case, candidate: Candidate) -> Case:
    """The case as this candidate is given it: with its lighter load, if it asked for one.

    Paced streams are evenly out of step, however many there are, so that each chunk is a wake-up."""
    options = case.options | dict(candidate.lighter.get(case.name, {}))
    marker = {name: options.get(name, value) for name, value in case.marker.items()}
    if "spread_us" in options:
        options["spread_us"] = int(CHUNK_EVERY * 1e6 / options["connections"])
    return replace(case, options=options, marker=marker)


def measure(case: Case, candidate: Candidate, round_: int, setting: Setting) -> Window:
    """Runs one window. Raises BenchError if an answer was wrong or the upstream counted otherwise than the load."""
    case = fitted(case, candidate)
    time.sleep(setting.rest)
    plain = chat_body(candidate.model, case.size)
    load(candidate, plain, setting.load_core, mode="closed", connections=32, seconds=0.2 * setting.seconds)
    time.sleep(setting.rest)
    body = chat_body(candidate.model, case.size, **case.marker)
    served = setting.upstream.counters()
    core, load_core = procs.core_time(setting.gateway_core), procs.core_time(setting.load_core)
    began, spent = time.perf_counter(), procs.cpu_time(candidate.pids())
    told = load(candidate, body, setting.load_core, **case.options)
    load_busy, load_steal = load_core.until(procs.core_time(setting.load_core))
    time.sleep(min(setting.rest, 0.5))  # what a gateway does later for these requests belongs to them
    cpu = spent.until(procs.cpu_time(candidate.pids()))
    busy, steal = core.until(procs.core_time(setting.gateway_core))
    share = len(procs.affinity(setting.gateway_core)) * 1e7 * (time.perf_counter() - began)
    other = max(busy - steal - cpu / share, 0.0)
    now = setting.upstream.counters()
    compare(candidate, told, {name: count - served[name] for name, count in now.items()})
    units = told["deltas"] if case.unit == "chunk" else told["done"]
    return Window(
        round=round_,
        case=case.name,
        candidate=candidate.name,
        cpu_us=cpu / 1000 / units if candidate.pids() else None,
        per_second=units / told["seconds"],
        p50_us=told["p50_us"],
        p99_us=told["p99_us"],
        chunk_p50_us=told["delta_p50_us"],
        chunk_p99_us=told["delta_p99_us"],
        gateway_busy=cpu / 1e7 / told["seconds"],
        load_busy=load_busy,
        steal=steal,
        other=other,
        load_steal=load_steal,
        upstream_connects=now["connections"] - served["connections"] - 1,  # one is our own question
    )


def compare(candidate: Candidate, told: dict[str, Any], served: dict[str, int]) -> None:
    """Every answer came from the upstream, once: nothing cached, repeated, invented or lost."""
    pairs = (("requests", told["done"]), ("chunks", told["deltas"]), ("refused", 0))
    for name, expected in pairs:
        if served[name] != expected:
            raise BenchError(
                f"{candidate.name}: the upstream counted {served[name]} {name}, the load generator {expected}"
            )


@dataclass(frozen=True)
class Start:
    """A candidate that has just become ready: how long it took, and its memory before any call, in KiB."""

    round: int
    candidate: str
    seconds: float
    all_pss: int
    worker_pss: float  # of one worker: the mean, if there are several
    worker_rss: float


def begin(candidate: Candidate, round_: int) -> Start:
    """Starts a candidate. Raises StartError."""
    took = candidate.start()
    workers = candidate.workers()
    own, many = procs.memory(workers), max(len(workers), 1)
    return Start(round_, candidate.name, took, procs.memory(candidate.pids()).pss, own.pss / many, own.rss / many)


@dataclass(frozen=True)
class Idle:
    """Open streams on which nothing happens: memory per stream, CPU share meanwhile."""

    round: int
    candidate: str
    streams: int
    kib_per_stream: float
    open_seconds: float
    cpu_percent: float


def measure_idle(candidate: Candidate, round_: int, streams: int, setting: Setting) -> Idle:
    """Opens idle streams on a freshly started candidate: memory that was used once may never be given back."""
    streams = min(streams, candidate.most_idle)
    plain = chat_body(candidate.model, 1024)
    load(candidate, plain, setting.load_core, mode="closed", connections=32, seconds=0.1 * setting.seconds)
    time.sleep(2 * setting.rest)
    before = procs.memory(candidate.pids()).pss
    body = chat_body(candidate.model, 1024, chunks=1, hold=1)
    held = Held(candidate, body, setting.load_core, streams)
    time.sleep(setting.rest)
    spent, began = procs.cpu_time(candidate.pids()), time.perf_counter()
    time.sleep(2 * setting.rest)
    cpu = spent.until(procs.cpu_time(candidate.pids())) / 1e7 / (time.perf_counter() - began)
    after = procs.memory(candidate.pids()).pss
    held.close()
    return Idle(round_, candidate.name, streams, (after - before) / streams, held.opened["seconds"], round(cpu, 3))
