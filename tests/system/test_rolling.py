"""Workers replaced one by one under load: nobody is refused, nothing is cut; what does not come up replaces nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from encke.admin.context import AdminError
from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.client import Client, chat
from tests.support.gateway import KEY, Gateway
from tests.support.operate import encke, events, order, settings
from tests.system.test_processes import entries_of

SLOW = 'behave: {"name": "slow_chunks", "chunks": 20, "interval": 0.05}'
LONG = 'behave: {"name": "slow_chunks", "chunks": 100, "interval": 0.05}'
ENDLESS = 'behave: {"name": "slow_chunks", "chunks": 4000, "interval": 0.05}'


class Callers:
    """Clients that keep their connections and put up with nothing: `failures` has all that was not a whole 200.

    A connection that the gateway announced to close is opened again; one that it closes otherwise is a failure.
    """

    def __init__(self, port: int, callers: int, probes: int = 2) -> None:
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self.calls: list[str] = []
        self._port = port
        self._stop = threading.Event()
        bodies = [chat("hello", "lab/m"), chat(SLOW, "lab/m", stream=True)]
        work: list[tuple[str, str, Any]] = [
            ("POST", "/v1/chat/completions", bodies[number % 2]) for number in range(callers)
        ]
        work += [("GET", "/readyz", None)] * probes
        self._threads = [threading.Thread(target=self._run, args=one) for one in work]
        for thread in self._threads:
            thread.start()

    def _run(self, method: str, path: str, body: Any) -> None:
        while not self._stop.is_set():
            try:
                with Client(self._port, timeout=30) as client:
                    self._session(client, method, path, body)
            except (OSError, ConnectionError) as error:
                self.failures.append(f"{method} {path}: {type(error).__name__} {error}")

    def _session(self, client: Client, method: str, path: str, body: Any) -> None:
        """Until the gateway announces the end of the connection; a probe connects anew each time."""
        while not self._stop.is_set():
            client.request(method, path, body, key=KEY)
            answer = client.read(method)
            whole = answer.complete and (not answer.events() or answer.events()[-1] == "[DONE]")
            if answer.status != 200 or not whole:
                self.failures.append(f"{method} {path}: {answer.status} {answer.body[-200:]!r}")
            self.done[path] += 1
            if method == "POST":
                self.calls.append(answer.header("x-request-id") or "")
            if answer.header("connection") == "close" or method == "GET":
                return

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def test_nobody_notices(tmp_path: Path, upstream: UpstreamProcess, size: Size, count: Count) -> None:
    """Three rounds under load: no call refused or cut, no probe failed, every call in the ledger, all processes new."""
    rounds = size(3, soak=50)
    with Gateway(tmp_path / "g", settings(upstream, grace=20)) as gateway:
        seen = set(gateway.pids("worker"))
        with Callers(gateway.port, 24) as callers:
            gateway.wait_for(lambda: len(callers.calls) > 100, 30, "no load")
            for number in range(rounds):
                if number == 1:
                    gateway.process.send_signal(signal.SIGUSR2)
                    gateway.wait_for(lambda: len(events(gateway, "workers_restarted")) == 2, 60, "no round")
                else:
                    done = encke(gateway, "workers", "restart")
                    assert done.returncode == 0 and "2 workers were replaced" in done.stdout, done.stderr
                now = set(gateway.pids("worker"))
                assert len(now) == 2 and not now & seen
                seen |= now
                before = len(callers.calls)
                gateway.wait_for(lambda before=before: len(callers.calls) > before + 100, 30, "no load")  # type: ignore[misc]
        assert callers.failures == []
        gateway.wait_for(lambda: not gateway.run["retiring"], 30, "the old ones do not end")
        assert len(events(gateway, "worker_retired")) == 2 * rounds and not events(gateway, "child_ended")
        gateway.wait_for(
            lambda: set(callers.calls) <= {one.call for one in entries_of(gateway.data) if one.status == "complete"},
            30,
            "entries are missing",
        )
        count(f"rolling restart: {rounds} rounds, {sum(callers.done.values())} calls and probes, 0 failures")


def test_a_stream_within_the_grace_is_whole(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A long stream outlives its worker's place; one without end is told `draining` when the grace is over."""
    with Gateway(tmp_path / "g", settings(upstream, grace=7)) as gateway:
        clients = [gateway.client(timeout=30) for _ in range(20)]
        for number, client in enumerate(clients):
            client.request(
                "POST", "/v1/chat/completions", chat(LONG if number else ENDLESS, "lab/m", stream=True), key=KEY
            )
        heads = [client.read_head() for client in clients]
        assert order(gateway, "workers.restart") == {"workers": 2, "retiring": 2}
        for client, head in list(zip(clients, heads, strict=True))[1:]:
            assert list(client.events(head))[-1] == "[DONE]"
        said = []
        with pytest.raises(ConnectionError):
            for event in clients[0].events(heads[0]):
                said.append(event)
        assert '"draining"' in said[-1]
        gateway.wait_for(lambda: not gateway.run["retiring"], 30, "the old ones do not end")
        gateway.wait_for(lambda: len(entries_of(gateway.data)) == 20, 30, "entries are missing")
        for client in clients:
            client.close()
        ends = Counter(one.status for one in entries_of(gateway.data))
        assert ends == {"complete": 19, "truncated": 1}


def test_an_idle_connection_is_answered_once_more(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A kept-alive connection of a worker that retires gets its next answer, told to close; a quiet one just ends."""
    with Gateway(tmp_path / "g", settings(upstream, grace=20)) as gateway:
        with gateway.client() as busy, gateway.client() as quiet, ThreadPoolExecutor(1) as pool:

            def is_last(client: Client) -> bool:
                answer = client.call("POST", "/v1/chat/completions", chat("hello", "lab/m"), key=KEY)
                assert answer.status == 200
                return answer.header("connection") == "close"

            assert not is_last(busy) and not is_last(quiet)
            # How long the round takes is the machine's affair: one is used meanwhile, the other grows quiet.
            done = pool.submit(order, gateway, "workers.restart")
            gateway.wait_for(lambda: is_last(busy), 60, "its worker does not retire")
            assert busy.wait_ended() and quiet.wait_ended()
            assert done.result()["workers"] == 2
        gateway.wait_for(lambda: not gateway.run["retiring"], 30, "the old ones do not end")


def test_what_does_not_come_up_replaces_nothing(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """With an environment that new workers die of, the round stops at the first; the old go on, later ones too."""
    broken = tmp_path / "packages"
    broken.mkdir()
    path = os.pathsep.join(filter(None, [str(broken), os.environ.get("PYTHONPATH", "")]))
    with Gateway(tmp_path / "g", settings(upstream), env={"PYTHONPATH": path}) as gateway:
        before = gateway.pids("worker")
        (broken / "httptools.py").write_text("raise ImportError('a bad upgrade')\n")
        with Callers(gateway.port, 8) as callers:
            done = encke(gateway, "workers", "restart")
            assert done.returncode == 1 and "2 stay as they are" in done.stderr
            assert gateway.pids("worker") == before
            (broken / "httptools.py").unlink()
            assert order(gateway, "workers.restart")["workers"] == 2
        assert callers.failures == []
        assert len(events(gateway, "workers_not_restarted")) == 1


def test_one_round_at_a_time_and_none_while_it_stops(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A second wish is refused, kills of old and new workers end well, and SIGTERM ends all of them in order."""
    gateway = Gateway(tmp_path / "g", settings(upstream, grace=15))
    with gateway.client(timeout=30) as client:
        client.request("POST", "/v1/chat/completions", chat(SLOW, "lab/m", stream=True), key=KEY)
        head = client.read_head()
        gateway.process.send_signal(signal.SIGUSR2)
        gateway.wait_for(lambda: events(gateway, "workers_restarting"), 30, "no round")
        with pytest.raises(AdminError, match="already"):
            order(gateway, "workers.restart")
        assert list(client.events(head))[-1] == "[DONE]"
    gateway.wait_for(lambda: events(gateway, "workers_restarted"), 30, "no end of the round")
    gateway.process.send_signal(signal.SIGUSR2)
    gateway.wait_for(lambda: len(events(gateway, "workers_restarting")) == 2, 30, "no round")
    gateway.kill("worker", 0)  # the old one, while its successor starts
    gateway.wait_for(lambda: len(events(gateway, "workers_restarted")) == 2, 30, "no end of the round")
    gateway.wait_for(lambda: None not in gateway.run["workers"] and gateway._ready(), 30, "not ready")
    gateway.process.send_signal(signal.SIGUSR2)
    time.sleep(0.1)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(30) == 0 and not gateway.processes()
