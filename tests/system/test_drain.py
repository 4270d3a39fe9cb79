"""SIGTERM: what is under way ends whole within the grace, nothing new begins, and every call has its entry."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

from encke.testing.process import UpstreamProcess
from tests.support.client import Client, chat
from tests.support.gateway import KEY, Gateway
from tests.support.operate import settings
from tests.system.conftest import READY, Start
from tests.system.test_processes import entries_of

ENDLESS = 'behave: {"name": "slow_chunks", "chunks": 4000, "interval": 0.05}'
STREAMS = 200


def probe(port: int) -> int:
    """What /readyz says on a new connection; 0 when it is refused or ended."""
    try:
        with Client(port, timeout=5) as client:
            return client.call("GET", "/readyz").status
    except (ConnectionError, OSError):
        return 0


def test_two_hundred_streams(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """None is cut, none is without its entry; meanwhile nobody is told that the gateway is ready."""
    gateway = Gateway(tmp_path / "g", settings(upstream, grace=30))
    slow = 'behave: {"name": "slow_chunks", "chunks": 30, "interval": 0.1}'
    clients = [gateway.client(timeout=60) for _ in range(STREAMS)]
    for client in clients:
        client.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=KEY)
    heads = [client.read_head() for client in clients]
    port = gateway.port
    gateway.process.send_signal(signal.SIGTERM)
    # One worker may close its ears before the other; once both have, nobody gets in.
    gateway.wait_for(lambda: [probe(port) for _ in range(10)] == [0] * 10, 30, "still ready")
    for client, head in zip(clients, heads, strict=True):
        assert list(client.events(head))[-1] == "[DONE]"
        assert client.wait_ended()
        client.close()
    assert gateway.process.wait(30) == 0 and not gateway.processes()
    entries = {entry.call: entry for entry in entries_of(gateway.data)}
    assert {entries[str(head.header("x-request-id"))].status for head in heads} == {"complete"}
    assert len(entries) == STREAMS


def test_connections_that_are_open_already(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """A request that was on its way is answered and its connection closed, a probe with 503 and Retry-After; one
    without a request ends."""
    # One worker: that one connection has ended tells that the worker of all has begun to drain.
    gateway = Gateway(tmp_path / "g", settings(upstream, grace=20, workers=1))
    with (
        gateway.client(timeout=30) as stream,
        gateway.client() as halfway,
        gateway.client() as asking,
        gateway.client() as idle,
    ):
        slow = 'behave: {"name": "slow_chunks", "chunks": 30, "interval": 0.1}'
        stream.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=KEY)
        head = stream.read_head()
        idle.call("GET", "/healthz")
        halfway.send(b"GET /readyz HTTP/1.1\r\nhost: x\r\n")
        body = b'{"model": "lab/m", "messages": [{"role": "user", "content": "hello"}]}'
        lines = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
        asking.send(f"POST /v1/chat/completions HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode())
        # That this is answered tells that the worker has been at its connections since the above was sent.
        idle.call("GET", "/healthz")
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.wait_ended()
        halfway.send(b"\r\n")
        answer = halfway.read("GET")
        assert answer.status == 503 and answer.json()["error"]["code"] == "draining"
        assert answer.header("connection") == "close" and answer.header("retry-after") == "1"
        assert halfway.wait_ended()
        asking.send(body)
        answer = asking.read()
        assert answer.status == 200 and answer.header("connection") == "close"
        assert list(stream.events(head))[-1] == "[DONE]"
    assert gateway.process.wait(30) == 0


def test_told_twice(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """The second SIGTERM ends all at once, and the keeper still settles what was under way."""
    gateway = Gateway(tmp_path / "g", settings(upstream, grace=60))
    clients = [gateway.client(timeout=30) for _ in range(20)]
    for client in clients:
        client.request("POST", "/v1/chat/completions", chat(ENDLESS, "lab/m", stream=True), key=KEY)
    heads = [client.read_head() for client in clients]
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_for(lambda: "Stopping" in gateway.log, 30, "it does not stop")
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(30) == 0 and not gateway.processes()
    entries = {entry.call: entry for entry in entries_of(gateway.data)}
    assert {entries[str(head.header("x-request-id"))].status for head in heads} == {"orphan"}
    assert not list((gateway.data / "journal").glob("*.seg"))
    for client in clients:
        client.close()


def test_a_closed_terminal_ends_it(start: Start, tmp_path: Path) -> None:
    """SIGHUP means "read the settings again", but not when the terminal it was started from has been closed."""
    file = tmp_path / "plain.toml"
    file.write_text("[local]\nenabled = false\n")
    terminal = start("--config", str(file))
    terminal.wait_for(READY, 30)
    assert terminal.processes()
    terminal.hang_up()
    deadline = time.monotonic() + 30
    while terminal.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert terminal.processes() == {}


def test_the_port_is_free_afterwards(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Once it has ended, another may listen there at once."""
    gateway = Gateway(tmp_path / "g", settings(upstream))
    port = gateway.port
    assert gateway.chat(chat("hello", "lab/m")).status == 200
    assert gateway.stop() == 0
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
