"""What Prometheus sees: all processes together, never falling, with labels that nobody from outside can choose."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from encke.core.faults import FAULTS
from encke.telemetry.metrics import METRICS
from encke.telemetry.tally import CLASSES, OUTCOMES, ROUTES
from encke.testing.process import UpstreamProcess
from tests.support.client import Client, chat
from tests.support.gateway import KEY, Gateway
from tests.support.operate import order, settings

ENDLESS = 'behave: {"name": "slow_chunks", "chunks": 4000, "interval": 0.05}'
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(port: int) -> Samples:
    """Every sample, as Prometheus's own parser reads them."""
    with Client(port) as client:
        answer = client.call("GET", "/metrics")
    assert answer.status == 200 and (answer.header("content-type") or "").startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels."""
    return sum(v for (n, pairs), v in found.items() if n == name and labels.items() <= dict(pairs).items())


def settled(port: int, name: str, wanted: float, **labels: str) -> Samples:
    """The samples once one has its value; a worker writes its numbers four times a second."""
    deadline = time.monotonic() + 30
    while value(found := scrape(port), name, **labels) != wanted:
        assert time.monotonic() < deadline, f"{name} is {value(found, name, **labels)}, not {wanted}"
        time.sleep(0.05)
    return found


def test_all_workers_together(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Calls over many connections, whole, streamed, refused: each counted once, whichever worker is asked."""
    with Gateway(tmp_path / "g", settings(upstream)) as gateway:
        for number in range(30):
            assert gateway.chat(chat("hello", "lab/m", stream=number % 3 == 0)).status == 200
        for _ in range(5):
            assert gateway.chat(chat("hello", "nobody/knows")).status == 404
        with gateway.client() as client:
            assert client.call("GET", "/v1/models", key=KEY).status == 200
        port = gateway.port
        settled(port, "encke_requests_total", 1, route="models", status="2xx")
        settled(port, "encke_requests_total", 30, route="chat", status="2xx")
        found = settled(port, "encke_calls_total", 5, outcome="rejected")
        assert value(found, "encke_calls_total", outcome="complete") == 30
        assert value(found, "encke_errors_total", code="model_not_found") == 5
        assert value(found, "encke_call_duration_seconds_count", stream="yes") == 10
        assert value(found, "encke_call_duration_seconds_count", stream="no") == 25
        assert value(found, "encke_first_content_seconds_count") == 30
        assert value(found, "encke_call_attempts_sum") == 30 and value(found, "encke_call_attempts_count") == 35
        assert value(found, "encke_upstream_attempts_total", provider="lab", status="complete") == 30
        assert value(found, "encke_tokens_total", kind="input") > 0
        assert value(found, "encke_processes", role="worker", state="ready") == 2
        assert value(found, "encke_process_resident_memory_bytes", role="worker") > 40e6
        assert found["encke_errors_total", (("code", "internal_error"),)] == 0
        restarts = [pairs for name, pairs in found if name == "encke_process_restarts_total"]
        assert len(restarts) == 3, "a series that begins with 1 has no rate"
        assert value(found, "encke_store_available") == 1 and value(found, "encke_build_info") == 1
        shipped = value(settled(port, "encke_entries_shipped_total", 35), "encke_entries_shipped_total")
        assert shipped == 35 and {s[0].removesuffix("_bucket") for s in found} & set(METRICS)
        with gateway.client(timeout=60) as client:
            client.request("POST", "/v1/chat/completions", chat(ENDLESS, "lab/m", stream=True), key=KEY)
            client.read_head()
            found = settled(port, "encke_streams", 1)
            assert value(found, "encke_calls_in_flight") == 1 and value(found, "encke_attempts_in_flight") == 1
            assert value(found, "encke_upstream_connections", provider="lab", state="busy") == 1
        settled(port, "encke_calls_in_flight", 0)
        found = settled(port, "encke_streams", 0)
        assert value(found, "encke_calls_total", outcome="client_closed") == 1


def test_counters_never_fall(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Kills of workers and keeper, a reload to another provider's name, new workers: no counter is ever lower."""
    with Gateway(tmp_path / "g", settings(upstream)) as gateway:
        port, last = gateway.port, Samples()

        def look() -> None:
            nonlocal last
            found = scrape(port)
            fallen = {
                key: (before, found.get(key))
                for key, before in last.items()
                if key[0].endswith(("_total", "_bucket", "_count", "_sum")) and found.get(key, -1.0) < before
            }
            assert not fallen
            last = found

        made = 0

        def calls() -> None:
            nonlocal made
            for _ in range(10):
                assert gateway.chat(chat("hello", "lab/m")).status == 200
            made += 10
            # Told by their workers, before one of these is killed.
            settled(port, "encke_calls_total", made, outcome="complete")
            look()

        calls()
        for role, index in (("worker", 0), ("worker", 1), ("keeper", 0)):
            gateway.replace(role, index)
            gateway.wait_for(gateway._ready, 30, "not ready")
            calls()
        gateway.write_config(settings(upstream))
        order(gateway, "config.reload")
        calls()
        order(gateway, "workers.restart")
        calls()
        gateway.wait_for(lambda: not gateway.run["retiring"], 40, "the old ones do not end")
        calls()
        found = settled(port, "encke_calls_total", 70, outcome="complete")
        assert value(found, "encke_process_restarts_total", role="worker") == 2
        assert value(found, "encke_config_reloads_total", result="taken") == 1
        assert value(found, "encke_config_generation") == 2


def test_nobody_outside_chooses_a_label(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Names of models, paths, methods and keys of all sorts make no new series; no secret and no model is there."""
    with Gateway(tmp_path / "g", settings(upstream)) as gateway:
        gateway.chat(chat("hello", "lab/m"))
        with gateway.client() as client:
            for number in range(50):
                client.call("GET", f"/v1/{number}/path", key=KEY)
                client.call("POST", "/v1/chat/completions", chat("x", f"lab/model-{number}"), key=KEY)
                client.call("POST", "/v1/chat/completions", chat("x", f"model-{number}"), key=f"{KEY}{number}")
        found = settled(gateway.port, "encke_errors_total", 50, code="invalid_api_key")
        sets = {
            "route": ROUTES,
            "status": (*CLASSES, *OUTCOMES, "orphan"),
            "outcome": OUTCOMES,
            "code": tuple(FAULTS),
            "provider": ("lab",),
            "role": ("supervisor", "keeper", "worker", "engine"),
        }
        for (name, pairs), _ in found.items():
            for label, text in pairs:
                assert text in sets.get(label, (text,)), (name, label, text)
        shown = repr(found)
        assert "model-" not in shown and "sk-" not in shown and KEY not in shown


def test_only_for_who_names_this_machine(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A page of the web that leads its own name here (DNS rebinding) gets 404; so does any other path of operators."""
    with Gateway(tmp_path / "g", settings(upstream)) as gateway, gateway.client() as client:
        for host, status in (
            ("localhost:1", 200),
            ("[::1]", 200),
            ("evil.example", 404),
            ("127.0.0.1.evil.example", 404),
        ):
            client.send(f"GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
            assert client.read("GET").status == status, host
        assert client.call("POST", "/metrics", {}).status == 405


def test_an_address_for_operators(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Listening to everybody, the API's port has no metrics; they are on the other, for all workers, with health."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        admin = probe.getsockname()[1]
    server = {"listen": "0.0.0.0:0", "admin_listen": f"127.0.0.1:{admin}", "grace": 5}
    with Gateway(tmp_path / "g", settings(upstream, **server)) as gateway:
        assert gateway.run["operators"] == f"127.0.0.1:{admin}"
        with gateway.client() as client:
            assert client.call("GET", "/metrics").status == 404
        assert gateway.chat(chat("hello", "lab/m")).status == 200
        found = settled(admin, "encke_calls_total", 1, outcome="complete")
        assert value(found, "encke_processes", role="worker") == 2
        with Client(admin) as client:
            assert client.call("GET", "/readyz").status == 200
            assert client.call("GET", "/healthz").json() == {"status": "ok"}
            assert client.call("GET", "/v1/models", key=KEY).status == 404
            assert client.call("POST", "/metrics", {}).status == 405
        order(gateway, "workers.restart")
        settled(admin, "encke_calls_total", 1, outcome="complete")
