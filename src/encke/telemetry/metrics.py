"""The metrics there are, what a process tells of them (a Sheet), and the sum of all as Prometheus reads it.

The text format is Prometheus's exposition format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from encke.telemetry.tally import ATTEMPTS, SECONDS

Kind = Literal["counter", "gauge", "histogram"]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """`labels` for people; `most`: of several processes the largest value counts, not the sum."""

    kind: Kind
    help: str
    labels: str = ""
    most: bool = False
    bounds: tuple[float, ...] = ()


METRICS: dict[str, Metric] = {
    "encke_requests_total": Metric("counter", "Answers to clients, health checks left out.", "route, status (class)"),
    "encke_calls_total": Metric("counter", "Calls to models, by how they ended.", "route, outcome"),
    "encke_errors_total": Metric("counter", "Errors told to clients, by code.", "code"),
    "encke_sent_bytes_total": Metric("counter", "Bytes written to clients."),
    "encke_call_duration_seconds": Metric(
        "histogram", "From a call's head to its end.", "route, stream", bounds=SECONDS
    ),
    "encke_first_content_seconds": Metric(
        "histogram", "From a call's head to the first content from upstream.", "route", bounds=SECONDS
    ),
    "encke_call_attempts": Metric("histogram", "Attempts that a call took; 0 when it was refused.", bounds=ATTEMPTS),
    "encke_upstream_attempts_total": Metric(
        "counter", "Attempts at providers, each an entry of the ledger.", "provider, status"
    ),
    "encke_tokens_total": Metric("counter", "Tokens used at providers.", "provider, kind (input, cached, output)"),
    "encke_cost_dollars_total": Metric("counter", "What attempts have cost.", "provider"),
    "encke_unpriced_attempts_total": Metric(
        "counter", "Attempts with tokens of a model that has no price.", "provider"
    ),
    "encke_access_lines_dropped_total": Metric("counter", "Lines of the access log that nobody took."),
    "encke_connections": Metric("gauge", "Open connections of clients."),
    "encke_calls_in_flight": Metric("gauge", "Calls under way."),
    "encke_streams": Metric("gauge", "Streams under way."),
    "encke_attempts_in_flight": Metric("gauge", "Attempts under way."),
    "encke_upstream_connections": Metric("gauge", "Connections to providers.", "provider, state"),
    "encke_breakers_open": Metric(
        "gauge", "Targets that workers leave alone just now, counted per worker.", "provider"
    ),
    "encke_event_loop_lag_seconds": Metric("gauge", "Longest delay of a timer in the last 10 s.", "role", most=True),
    "encke_entries_shipped_total": Metric("counter", "Entries moved from journals into the database."),
    "encke_orphans_settled_total": Metric("counter", "Attempts of dead workers that the keeper settled."),
    "encke_journal_backlog_bytes": Metric("gauge", "Bytes in journals that are not in the database yet."),
    "encke_journal_backlog_entries": Metric("gauge", "Entries that were read and are not in the database yet."),
    "encke_keeper_lag_seconds": Metric("gauge", "How long the oldest entry has been waiting for the database."),
    "encke_store_available": Metric("gauge", "1 while the database takes entries."),
    "encke_admission_held": Metric("gauge", "1 while calls are refused because too much waits."),
    "encke_lease_grants_total": Metric("counter", "Grants of allowance to workers, for calls that have limits."),
    "encke_lease_refusals_total": Metric(
        "counter",
        "Calls that the keeper granted no allowance, by the kind of limit; workers refuse more by themselves.",
        "kind",
    ),
    "encke_lease_recalls_total": Metric("counter", "Rounds in which workers were asked for unused allowance."),
    "encke_lease_stranded_dollars": Metric(
        "gauge", "Budgets reserved for workers that are gone or silent, until their journals are in the database."
    ),
    "encke_build_info": Metric("gauge", "1, with what runs.", "version, python, compiled", most=True),
    "encke_start_time_seconds": Metric("gauge", "When the gateway was started, Unix time."),
    "encke_config_generation": Metric("gauge", "How often settings have been taken, the start counted."),
    "encke_config_reloads_total": Metric("counter", "Reloads, by what came of them.", "result"),
    "encke_config_loaded_time_seconds": Metric("gauge", "When the settings in use were read, Unix time."),
    "encke_process_restarts_total": Metric("counter", "Processes that ended unasked and were started again.", "role"),
    "encke_processes": Metric("gauge", "Processes.", "role, state"),
    "encke_stopping": Metric("gauge", "1 while the gateway stops."),
    "encke_process_resident_memory_bytes": Metric("gauge", "Memory of all processes of a role.", "role"),
    "encke_process_open_fds": Metric("gauge", "Open files of all processes of a role.", "role"),
    "encke_process_cpu_seconds_total": Metric(
        "counter", "CPU time of all processes of a role, the engine's left out.", "role"
    ),
}

Values = dict[str, float]


class Sheet(msgspec.Struct):
    """What one process tells: metrics by name, values by their labels as they are written. A histogram's values are its
    buckets' counts and the sum. `pids` are processes by role, whose size whoever reads looks up."""

    counters: dict[str, Values] = {}
    gauges: dict[str, Values] = {}
    histograms: dict[str, dict[str, list[float]]] = {}
    pids: dict[str, list[int]] = {}


def labels(**pairs: str) -> str:
    """Labels as they are written."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def merge(sheets: Iterable[Sheet]) -> Sheet:
    """The sum: counters and histograms added, gauges too, or the largest where that is what one wants to know."""
    total = Sheet({}, {}, {}, {})
    for sheet in sheets:
        for name, values in sheet.counters.items():
            _add(total.counters.setdefault(name, {}), values)
        for name, values in sheet.gauges.items():
            into = total.gauges.setdefault(name, {})
            if METRICS[name].most if name in METRICS else False:
                into.update({key: max(value, into.get(key, value)) for key, value in values.items()})
            else:
                _add(into, values)
        for name, series in sheet.histograms.items():
            for key, counts in series.items():
                before = total.histograms.setdefault(name, {}).get(key, [0.0] * len(counts))
                total.histograms[name][key] = [a + b for a, b in zip(before, counts, strict=True)]
        for role, pids in sheet.pids.items():
            total.pids.setdefault(role, []).extend(pids)
    return total


def _add(into: Values, values: Mapping[str, float]) -> None:
    for key, value in values.items():
        into[key] = into.get(key, 0.0) + value


def render(sheet: Sheet) -> str:
    """Prometheus's text, in the order of the table."""
    lines: list[str] = []
    for name, metric in METRICS.items():
        lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
        if metric.kind == "histogram":
            for key, counts in sorted(sheet.histograms.get(name, {}).items()):
                lines += _histogram(name, key, metric.bounds, counts)
            continue
        values = (sheet.counters if metric.kind == "counter" else sheet.gauges).get(name, {})
        lines += [f"{_series(name, key)} {_number(value)}" for key, value in sorted(values.items())]
    return "\n".join([*lines, ""])


def _histogram(name: str, key: str, bounds: tuple[float, ...], counts: list[float]) -> list[str]:
    lines, seen = [], 0.0
    for bound, count in zip((*map(_number, bounds), "+Inf"), counts[:-1], strict=True):
        seen += count
        le = f'le="{bound}"'
        lines.append(f"{_series(f'{name}_bucket', f'{key},{le}' if key else le)} {_number(seen)}")
    return [
        *lines,
        f"{_series(f'{name}_sum', key)} {_number(counts[-1])}",
        f"{_series(f'{name}_count', key)} {_number(seen)}",
    ]


def _series(name: str, key: str) -> str:
    return f"{name}{{{key}}}" if key else name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
