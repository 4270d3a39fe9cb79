"""Sheets added up, and written as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from encke.telemetry.metrics import METRICS, Sheet, labels, merge, render
from encke.telemetry.tally import SECONDS


def test_sums_and_the_largest() -> None:
    """Counters, histograms and most gauges are added; a delay is the worst of all."""
    key = labels(route="chat")
    one = Sheet(
        {"encke_errors_total": {labels(code="a"): 1.0}},
        {"encke_connections": {"": 2.0}, "encke_event_loop_lag_seconds": {"": 0.2}},
        {"encke_first_content_seconds": {key: [1.0] * (len(SECONDS) + 2)}},
        {"worker": [1]},
    )
    total = merge([one, one, Sheet(gauges={"encke_event_loop_lag_seconds": {"": 0.5}}, pids={"worker": [2]})])
    assert total.counters["encke_errors_total"] == {'code="a"': 2.0}
    assert total.gauges == {"encke_connections": {"": 4.0}, "encke_event_loop_lag_seconds": {"": 0.5}}
    assert total.histograms["encke_first_content_seconds"][key] == [2.0] * (len(SECONDS) + 2)
    assert total.pids == {"worker": [1, 1, 2]}
    assert one.counters["encke_errors_total"] == {'code="a"': 1.0}


def test_prometheus_reads_it() -> None:
    """Every metric of the table, with its kind and help; buckets grow, and their last is the count."""
    counts = [1.0] * (len(SECONDS) + 1)
    sheet = Sheet({}, {}, {})
    for name, metric in METRICS.items():
        if metric.kind == "counter":
            sheet.counters[name] = {labels(code='a "b"\\\n'): 3.0}
        elif metric.kind == "gauge":
            sheet.gauges[name] = {"": 0.25}
        else:
            sheet.histograms[name] = {labels(route="x"): [*counts[: len(metric.bounds) + 1], 7.5]}
    families = {family.name: family for family in text_string_to_metric_families(render(sheet))}
    assert set(families) == {name.removesuffix("_total") for name in METRICS}
    for name, metric in METRICS.items():
        family = families[name.removesuffix("_total")]
        assert family.type == metric.kind and family.documentation == metric.help
        if metric.kind == "counter":
            assert family.samples[0].labels == {"code": 'a "b"\\\n'} and family.samples[0].value == 3
        elif metric.kind == "histogram":
            buckets = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
            assert buckets == sorted(buckets) and buckets[-1] == len(metric.bounds) + 1
            assert {sample.value for sample in family.samples if sample.name.endswith("_count")} == {buckets[-1]}


def test_names_say_what_they_are() -> None:
    """All begin alike; counters end in _total, and only they; whoever has a unit names it."""
    for name, metric in METRICS.items():
        assert name.startswith("encke_") and metric.help.endswith(".")
        assert name.endswith("_total") == (metric.kind == "counter")
        if metric.bounds == SECONDS:
            assert name.endswith("_seconds")
