"""From windows to medians, ratios to nginx, and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from cases import Idle, Start, Window

MEASURE = "nginx"
QUIET = 5.0  # percent of the core, stolen or used by strangers, up to which a window counts as quiet


@dataclass
class Results:
    """Everything that was measured."""

    windows: list[Window] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)

    def series(self, case: str, value: Callable[[Window], float | None]) -> dict[str, dict[int, float]]:
        """candidate -> round -> value, of one case; rounds without a value are left out."""
        found: dict[str, dict[int, float]] = {}
        for window in self.windows:
            number = value(window)
            if window.case == case and number is not None:
                found.setdefault(window.candidate, {})[window.round] = number
        return found

    def added(self, case: str, value: Callable[[Window], float]) -> dict[str, dict[int, float]]:
        """What a candidate adds to the latency of the direct way in the same round, in microseconds."""
        found = self.series(case, value)
        direct = found.pop("direct", {})
        return {name: {r: v - direct[r] for r, v in rounds.items() if r in direct} for name, rounds in found.items()}


SHARES: tuple[tuple[str, Callable[[Window], float]], ...] = (
    ("% of its core stolen", lambda w: w.steal),
    ("% of its core used by others", lambda w: w.other),
    ("% of its core used by it", lambda w: w.gateway_busy),
    ("% of the load's core busy", lambda w: w.load_busy),
)


@dataclass(frozen=True)
class Row:
    """A line of the table: the values by candidate and round, and how to show them."""

    title: str
    series: dict[str, dict[int, float]]
    digits: int = 1
    ratio: str = ""  # its name in the last line
    case: str = ""  # the case whose windows decide which rounds were quiet


def rows(results: Results) -> list[Row]:
    """The lines, in order; lines without a value are left out."""
    s, idle = results.series, by_round((i.candidate, i.round, i.kib_per_stream) for i in results.idle)
    table = [
        Row("1 KB: CPU us/request", s("1KB", lambda w: w.cpu_us), 1, "1KB", "1KB"),
        Row("1 KB: requests/s", s("1KB", lambda w: w.per_second), 0),
        Row("30 KB: CPU us/request", s("30KB", lambda w: w.cpu_us), 1, "30KB", "30KB"),
        Row("30 KB: requests/s", s("30KB", lambda w: w.per_second), 0),
        Row("paced: CPU us/chunk", s("paced", lambda w: w.cpu_us), 1, "paced", "paced"),
        Row("paced: chunk on its way, p50 us", s("paced", lambda w: w.chunk_p50_us), 0),
        Row("paced: chunk on its way, p99 us", s("paced", lambda w: w.chunk_p99_us), 0),
        Row("saturated: CPU us/chunk", s("saturated", lambda w: w.cpu_us), 2, "saturated", "saturated"),
        Row("saturated: chunks/s", s("saturated", lambda w: w.per_second), 0),
        Row("500/s: p50 us", s("rate", lambda w: w.p50_us), 0),
        Row("500/s: added p50 us", results.added("rate", lambda w: w.p50_us), 0),
        Row("500/s: added p99 us", results.added("rate", lambda w: w.p99_us), 0),
        Row("500/s: CPU us/request", s("rate", lambda w: w.cpu_us), 0, "500/s", "rate"),
        Row("10/s: added p50 us", results.added("gentle", lambda w: w.p50_us), 0),
        Row("10/s: CPU us/request", s("gentle", lambda w: w.cpu_us), 0, "10/s", "gentle"),
        Row("idle: KiB/stream", idle, 1),
        Row("idle: CPU %", by_round((i.candidate, i.round, i.cpu_percent) for i in results.idle), 2),
        Row("at start: MiB, all processes", at_start(results, lambda s: s.all_pss / 1024), 1),
        Row("at start: MiB, a worker (Pss)", at_start(results, lambda s: s.worker_pss / 1024), 1),
        Row("at start: MiB, a worker (Rss)", at_start(results, lambda s: s.worker_rss / 1024), 1),
        Row("start-up, ms", at_start(results, lambda s: 1000 * s.seconds), 0),
    ]
    return [row for row in table if row.series]


def at_start(results: Results, value: Callable[[Start], float]) -> dict[str, dict[int, float]]:
    """candidate -> round -> value, of each start."""
    return by_round((start.candidate, start.round, value(start)) for start in results.starts)


def by_round(values: Iterable[tuple[str, int, float]]) -> dict[str, dict[int, float]]:
    """(candidate, round, value) -> candidate -> round -> value."""
    found: dict[str, dict[int, float]] = {}
    for name, round_, value in values:
        found.setdefault(name, {})[round_] = value
    return found


def ratios(row: Row, results: Results, name: str, most_noise: float = 1000.0, measure: str = MEASURE) -> list[float]:
    """The candidate against nginx of the same round, where noise took at most so many percent of either."""
    noise = results.series(row.case, lambda w: w.steal + w.other)
    own, other = row.series.get(name, {}), row.series.get(measure, {})
    return [
        own[r] / other[r]
        for r in sorted(own.keys() & other.keys())
        if max(noise[name][r], noise[measure][r]) <= most_noise
    ]


def spread(values: Iterable[float], digits: int, suffix: str = "") -> str:
    """Median and range, or a dash."""
    known = list(values)
    if not known:
        return "-"
    low, high = f"{min(known):,.{digits}f}", f"{max(known):,.{digits}f}"
    middle = f"{median(known):,.{digits}f}{suffix}"
    return middle if len(known) == 1 else f"{middle} ({low}-{high})"


def table(results: Results, names: list[str]) -> str:
    """Medians (least-most of all rounds), one column a candidate, then the ratios to nginx of the same round."""
    gateways = [name for name in names if name not in ("direct", MEASURE)] if MEASURE in names else []
    lines = [["", *names, *(f"{name}/{MEASURE}" for name in gateways), *("... if quiet" for _ in gateways)]]
    for row in rows(results):
        line = [row.title, *(spread(row.series.get(name, {}).values(), row.digits) for name in names)]
        for most in (1000.0, QUIET):
            line += [spread(ratios(row, results, name, most), 2, "x") if row.ratio else "" for name in gateways]
        lines.append(line)
    for title, value in SHARES:
        for case in dict.fromkeys(window.case for window in results.windows):
            series = results.series(case, value)
            lines.append([f"{title}: {case}", *(spread(series.get(name, {}).values(), 0) for name in names)])
    return aligned(lines)


def aligned(lines: list[list[str]]) -> str:
    """Columns of text, the first to the left."""
    width = max(len(line) for line in lines)
    full = [line + [""] * (width - len(line)) for line in lines]
    sizes = [max(len(line[i]) for line in full) for i in range(width)]
    return "\n".join("  ".join([line[0].ljust(sizes[0]), *map(str.rjust, line[1:], sizes[1:])]) for line in full)


def last_line(results: Results, name: str) -> str:
    """The ratios of one gateway, for people and scripts that read only the end."""
    parts = []
    for row in rows(results):
        own, other = (list(row.series.get(who, {}).values()) for who in (name, MEASURE))
        if row.ratio and (found := ratios(row, results, name)):
            parts.append(f"{row.ratio} {spread(found, 2, 'x')}")
        elif row.title.startswith(("500/s: added p50", "idle: KiB", "start-up")) and own and other:
            parts.append(f"{row.title} {median(own):.{row.digits}f} (nginx {median(other):.{row.digits}f})")
    return f"ratios to {MEASURE}: {name}: " + ", ".join(parts)


def against(results: Results, name: str, measure: str) -> str:
    """The CPU ratios of two candidates other than nginx, with ranges."""
    found = ((row.ratio, ratios(row, results, name, measure=measure)) for row in rows(results) if row.ratio)
    return f"CPU of {name} / {measure}: " + ", ".join(f"{title} {spread(r, 2, 'x')}" for title, r in found if r)
