"""Processes die, at any moment and in any combination: what callers see, and what the ledger says afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encke.ledger.entry import Entry
from encke.store.sqlite import SqliteStore
from encke.testing.process import UpstreamProcess
from tests.support.client import Client, chat
from tests.support.gateway import KEY, Gateway, lab

SLOW = 'behave: {"name": "slow_chunks", "chunks": 20, "interval": 0.02}'


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[UpstreamProcess]:
    """A fake upstream that outlives everything."""
    with UpstreamProcess(tmp_path / "upstream") as running:
        yield running


def settings(upstream: UpstreamProcess, workers: int = 2, **server: Any) -> dict[str, Any]:
    """A gateway without the embedded model."""
    return {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": workers, **server}}


class Load:
    """Clients in threads. `complete` has the ids of calls whose end the client saw, `statuses` every status."""

    def __init__(self, port: int, clients: int = 16, slow: float = 0.3) -> None:
        self.complete: list[str] = []
        self.statuses: list[int] = []
        self.good_at = 0.0
        self._port, self._slow = port, slow
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self._stop.is_set():
            try:
                self._session(rng)
            except (OSError, ConnectionError, ValueError):
                time.sleep(0.02)

    def _session(self, rng: random.Random) -> None:
        with Client(self._port, timeout=30) as client:
            while not self._stop.is_set():
                stream = rng.random() < 0.5
                text = SLOW if rng.random() < self._slow else "hello"
                client.request("POST", "/v1/chat/completions", chat(text, "lab/m", stream=stream), key=KEY)
                answer = client.read()
                self.statuses.append(answer.status)
                whole = answer.complete and (not stream or answer.body.endswith(b"data: [DONE]\n\n"))
                if answer.status == 200 and whole:
                    self.good_at = time.monotonic()
                    found = answer.header("x-request-id")
                    assert found is not None
                    self.complete.append(found)
                if answer.status == 503:
                    time.sleep(0.05)

    def stop(self) -> None:
        """Let the calls under way finish."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def entries_of(data: Path) -> list[Entry]:
    """Every entry in the database, read as a stranger would."""
    store = SqliteStore.open(data / "encke.db", check=False)
    try:
        calls = [row[0] for row in store._db.execute("SELECT DISTINCT call FROM entries")]
        return [entry for call in calls for entry in store.entries(call)]
    finally:
        store.close()


def check_ledger(gateway: Gateway, load: Load, seconds: float = 30.0) -> list[Entry]:
    """Within `seconds`: every call whose end was seen is complete, once; nothing is twice there. All entries."""
    seen = set(load.complete)

    def missing() -> set[str]:
        done = {entry.call for entry in entries_of(gateway.data) if entry.status == "complete" and entry.final}
        return seen - done

    gateway.wait_for(lambda: not missing(), seconds, f"{len(missing())} of {len(seen)} calls have no complete entry")
    entries = entries_of(gateway.data)
    keys = [(entry.call, entry.attempt) for entry in entries]
    assert len(keys) == len(set(keys))
    finals = [entry.call for entry in entries if entry.final]
    assert len(finals) == len(set(finals))
    return entries


def test_keeper_away_for_long(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """The keeper dies and does not come back: calls go on or get 503, never 401; once back, all is there."""
    with Gateway(tmp_path, settings(upstream)) as gateway, Load(gateway.port) as load:
        gateway.wait_for(lambda: len(load.complete) > 100, 30, "no load")
        supervisor = gateway.pids("supervisor")[0]
        keeper = gateway.pids("keeper")[0]
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        before = len(load.complete)
        time.sleep(10)
        during = len(load.complete) - before
        os.kill(supervisor, signal.SIGCONT)
        gateway.wait_for(lambda: gateway.pids("keeper") not in ([], [keeper]), 30, "no new keeper")
        back = time.monotonic()
        gateway.wait_for(lambda: load.good_at > back, 30, "not back")
        load.stop()
        assert set(load.statuses) <= {200, 503}
        assert during > 100
        check_ledger(gateway, load)


def test_workers_killed_under_load(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Ten kills of workers: no completed call without its entry, none twice, and the others are orphans soon."""
    rng = random.Random(1)
    with Gateway(tmp_path, settings(upstream)) as gateway, Load(gateway.port) as load:
        gateway.wait_for(lambda: len(load.complete) > 50, 30, "no load")
        for _ in range(10):
            gateway.replace("worker", rng.randrange(2))
            time.sleep(rng.uniform(0.0, 0.6))
        gateway.wait_for(gateway._ready, 30, "not ready")
        load.stop()
        assert 401 not in load.statuses
        entries = check_ledger(gateway, load)
        assert any(entry.status == "orphan" for entry in entries)
        # The bank statement and the ledger agree on what was asked for.
        asked = len(upstream.statement.calls())
        gateway.wait_for(
            lambda: sum(entry.dispatched > 0 for entry in entries_of(gateway.data)) >= asked, 30, "calls are missing"
        )


def test_orphan_has_what_was_received(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A worker killed in the middle of a stream: the entry says what had come."""
    # Upstream falls silent after twelve pieces: nothing is under way when the worker dies.
    slow = 'behave: {"name": "stall_mid_stream", "after": 12, "chunks": 500, "interval": 0.05}'
    with Gateway(tmp_path, settings(upstream, 1)) as gateway, gateway.client() as client:
        client.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=KEY)
        head = client.read_head()
        events = client.events(head)
        got = [next(events) for _ in range(12)]
        gateway.kill("worker")
        upstream.statement.wait_for(lambda s: any(one.ended == "peer_left" for one in s.outcomes()))
        (outcome,) = upstream.statement.outcomes()
        call = head.header("x-request-id")
        gateway.wait_for(lambda: any(one.call == call for one in entries_of(gateway.data)), 30, "no entry")
        (entry,) = (one for one in entries_of(gateway.data) if one.call == call)
        assert (entry.status, entry.final, entry.usage.estimated) == ("orphan", True, True)
        seen = sum(len(json.loads(one)["choices"][0]["delta"].get("content") or "") for one in got)
        pieces = ["Hello", *(f" word.{number}" for number in range(1, 500))]
        sent = len("".join(pieces[: outcome.tokens]))
        assert seen == sent and entry.usage.output == -(-sent // 3)
        assert 0 < entry.received <= outcome.sent


def test_keeper_and_workers_killed_together(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Everything at once, again and again, on the same folder: keys and entries are there after each restart."""
    complete: list[str] = []
    for _ in range(3):
        gateway = Gateway(tmp_path, settings(upstream))
        load = Load(gateway.port, 8)
        load.complete = list(complete)
        more = len(complete) + 60
        gateway.wait_for(lambda load=load, more=more: len(load.complete) > more, 30, "no load")  # type: ignore[misc]
        gateway.kill_all()
        load.stop()
        complete = load.complete
        assert 401 not in load.statuses
    with Gateway(tmp_path, settings(upstream)) as gateway:
        load = Load(gateway.port, 0)
        load.complete = complete
        entries = check_ledger(gateway, load)
        assert len(entries) >= len(complete)
        assert gateway.chat(chat("hello", "lab/m")).status == 200


def test_supervisor_killed(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Its children end by themselves, the port is free, and a new gateway starts on the folder at once."""
    gateway = Gateway(tmp_path, settings(upstream))
    port = gateway.port
    with Load(port, 4) as load:
        gateway.wait_for(lambda: len(load.complete) > 20, 30, "no load")
        gateway.kill("supervisor")
        gateway.process.wait(30)
        load.stop()
    again = Gateway(tmp_path, settings(upstream, listen=f"127.0.0.1:{port}"))
    try:
        assert again.port == port
        assert again.chat(chat("hello", "lab/m")).status == 200
        gateway.wait_for(lambda: not gateway.processes(), 30, "the old gateway's processes are left")
        check_ledger(again, load)
        assert again.chat(chat("hello", "lab/m")).status == 200
    finally:
        again.stop()


def test_drain(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """SIGTERM: streams under way end whole within the time of grace, and their entries are in the database."""
    gateway = Gateway(tmp_path, settings(upstream, grace=15))
    slow = 'behave: {"name": "slow_chunks", "chunks": 40, "interval": 0.05}'
    clients = [gateway.client() for _ in range(40)]
    for client in clients:
        client.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=KEY)
    heads = [client.read_head() for client in clients]
    port = gateway.port
    gateway.process.send_signal(signal.SIGTERM)
    for client, head in zip(clients, heads, strict=True):
        assert list(client.events(head))[-1] == "[DONE]"
        client.close()
    assert gateway.process.wait(30) == 0
    assert not gateway.processes()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    done = {entry.call for entry in entries_of(gateway.data) if entry.status == "complete"}
    assert {head.header("x-request-id") for head in heads} <= done


def test_grace_ends(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A stream longer than the grace is told so in its own words, not cut; its entry says truncated."""
    gateway = Gateway(tmp_path, settings(upstream, 1, grace=1))
    slow = 'behave: {"name": "slow_chunks", "chunks": 2000, "interval": 0.05}'
    with gateway.client() as client:
        client.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=KEY)
        head = client.read_head()
        gateway.process.send_signal(signal.SIGTERM)
        events = []
        with pytest.raises(ConnectionError):
            for event in client.events(head):
                events.append(event)
        assert '"draining"' in events[-1] and "[DONE]" not in events
    assert gateway.process.wait(30) == 0
    (entry,) = (one for one in entries_of(gateway.data) if one.call == head.header("x-request-id"))
    assert (entry.status, entry.reason) == ("truncated", "draining")


def test_ctrl_c_ends_everything(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """SIGINT to the whole group, as a terminal sends it, twice: all processes are gone at once, in order."""
    gateway = Gateway(tmp_path, settings(upstream, grace=90))
    with gateway.client() as client:
        slow = 'behave: {"name": "slow_chunks", "chunks": 2000, "interval": 0.05}'
        client.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=KEY)
        client.read_head()
        os.killpg(gateway.process.pid, signal.SIGINT)
        gateway.wait_for(lambda: "Stopping" in gateway.log, 30, "it does not stop")
        os.killpg(gateway.process.pid, signal.SIGINT)
        assert gateway.process.wait(30) == 0
    assert not gateway.processes()
    assert "Traceback" not in gateway.log


def second(folder: Path, data: Path, upstream: UpstreamProcess, listen: str) -> subprocess.CompletedProcess[str]:
    """`encke serve`, expected to refuse."""
    folder.mkdir(exist_ok=True)
    config = folder / "encke.toml"
    config.write_text(f'[server]\nlisten = "{listen}"\nworkers = 1\n[local]\nenabled = false\n')
    env = {"PATH": os.environ["PATH"], "ENCKE_DATA": str(data), "ENCKE_BOOTSTRAP_KEY": KEY}
    command = [sys.executable, "-m", "encke", "serve", "--config", str(config)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)


def test_refusals_to_start(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A port that is taken, a folder that is in use: one sentence each, and the first gateway is not disturbed."""
    with Gateway(tmp_path / "one", settings(upstream)) as gateway:
        taken = second(tmp_path / "two", tmp_path / "two" / "data", upstream, f"127.0.0.1:{gateway.port}")
        assert taken.returncode != 0 and f"port {gateway.port} is taken" in taken.stderr + taken.stdout
        used = second(tmp_path / "three", gateway.data, upstream, "127.0.0.1:0")
        assert used.returncode != 0
        assert f"another gateway (process {gateway.pids('supervisor')[0]}" in used.stderr + used.stdout
        assert "Traceback" not in taken.stderr + used.stderr
        assert gateway.chat(chat("hello", "lab/m")).status == 200


def test_full_disk(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """On a small disk the start is refused with what is needed; where it has just enough, calls are recorded."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        refused = second(tmp_path / "config", small / "data", upstream, "127.0.0.1:0")
        assert refused.returncode != 0 and "MiB are free" in refused.stderr + refused.stdout
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_disk_fills_up_while_running(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """The disk fills up under load: 200 or 503, never a crash; with room again it goes on without a restart."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        given = {**settings(upstream, 1), "store": {"journal_segment": 1 << 20}}
        with Gateway(small, given) as gateway:
            filler = small / "filler"
            with filler.open("wb") as file, pytest.raises(OSError):
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            workers = gateway.pids("worker")
            with Load(gateway.port, 8, slow=0.0) as load:
                gateway.wait_for(lambda: 503 in load.statuses, 40, "nothing was refused")
                filler.unlink()
                freed = time.monotonic()
                gateway.wait_for(lambda: load.good_at > freed + 0.5, 30, "not back")
            assert set(load.statuses) <= {200, 503}
            assert gateway.pids("worker") == workers
            check_ledger(gateway, load)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
