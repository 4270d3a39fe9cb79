"""`encke chat` and `encke models` against a scripted gateway (the end-to-end tests ask the real one)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program, Run

PRICES = [
    {"provider": "lab", "model": "b", "price": {"version": "set-1", "input": "0.25", "output": "2", "request": "1"}},
    {"provider": "lab", "model": "c", "price": None},
]
LISTED = [{"id": "a/b", "owned_by": "lab", "prices": PRICES}, {"id": "local", "owned_by": "encke"}]
MODELS = {"object": "list", "data": LISTED}


def event(content: str) -> bytes:
    """One chunk of a stream."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]}).encode() + b"\n\n"


class Script(ThreadingHTTPServer):
    """Answers `/v1/models` with a list and a chat with `status` and `body`; keeps what it was asked."""

    daemon_threads = True
    status = 200
    body = b""
    models: Any = MODELS

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Script

    def do_GET(self) -> None:
        """The models."""
        self._send(200, json.dumps(self.server.models).encode())

    def do_POST(self) -> None:
        """The chat."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({**asked, "path": self.path, "auth": self.headers["authorization"]})
        self._send(self.server.status, self.server.body)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("x-request-id", "req-1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway(data: Path) -> Iterator[Script]:
    """A script that `run.json` points to."""
    script = Script()
    thread = threading.Thread(target=script.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    data.mkdir()
    (data / "run.json").write_text(json.dumps({"pid": 1, "listen": f"127.0.0.1:{script.server_port}"}))
    yield script
    script.shutdown()
    thread.join()
    script.server_close()


def test_stream(encke: Run, gateway: Script) -> None:
    """The pieces of a stream come out as the answer; the local model is asked unless told otherwise."""
    gateway.body = b": hello\n\n" + event("Hel") + b'data: {"choices":[{"delta":{}}],"usage":null}\n\n'
    gateway.body += event("l\u00f6\n") + b'data: {"choices":[],"usage":{}}\n\ndata: [DONE]\n\n'
    done = encke("chat", "Hi?", ENCKE_API_KEY="sk-mine")
    assert (done.exit_code, done.stdout) == (0, "Hell\u00f6\n\n")
    assert gateway.asked == [
        {"model": "local", "messages": [{"role": "user", "content": "Hi?"}], "stream": True}
        | {"path": "/v1/chat/completions", "auth": "Bearer sk-mine"}
    ]


def test_pieces_come_as_they_are_sent(gateway: Script, data: Path, program: Program) -> None:
    """What came before the stream broke off is on standard output, and the break is an error."""
    gateway.body = event("Half an ans")
    done = program("chat", "Hi?", "--model", "m", ENCKE_API_KEY="sk-mine")
    assert (done.returncode, done.stdout) == (1, "Half an ans") and "the answer broke off" in done.stderr
    assert "Traceback" not in done.stderr


def test_whole(encke: Run, gateway: Script) -> None:
    """Without streaming the message is printed; the bootstrap key serves, and the question may come from a pipe."""
    gateway.body = json.dumps({"choices": [{"message": {"content": "Hello"}}]}).encode()
    key = "sk-" + "b" * 40
    done = encke("chat", "-", "--no-stream", "--model", "fast", stdin="From a pipe", ENCKE_BOOTSTRAP_KEY=key)
    assert (done.exit_code, done.stdout) == (0, "Hello\n")
    (asked,) = gateway.asked
    assert (asked["model"], asked["stream"], asked["auth"]) == ("fast", False, f"Bearer {key}")
    assert asked["messages"][0]["content"] == "From a pipe"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b'{"error": {"message": "The key is unknown."}}', "The key is unknown. (HTTP 401, request req-1)"),
        (502, b"<html>\x1b[2J", "<html>\\x1b[2J (HTTP 502, request req-1)"),
        (500, b"", "Internal Server Error (HTTP 500, request req-1)"),
        (500, b"[1]", "[1] (HTTP 500, request req-1)"),
        (200, event("x") + b'data: {"error": {"message": "Too slow."}}\n\n', "Too slow."),
        (200, b"data: nonsense\n\n", "makes no sense"),
        (200, b"data: [1]\n\n", "makes no sense"),
        (200, b'data: {"choices": 3}\n\n', "makes no sense"),
        (200, b"data: " + b"x" * (2 << 20), "over 1 MiB"),
    ],
)
def test_failures(encke: Run, gateway: Script, status: int, body: bytes, message: str) -> None:
    """The gateway's own message is shown, and answers that make no sense are told in a sentence."""
    gateway.status, gateway.body = status, body
    done = encke("chat", "Hi?", "--model", "m", ENCKE_API_KEY="sk-mine")
    assert done.exit_code == 1 and message in done.stderr and "\x1b" not in done.stderr


@pytest.mark.parametrize("body", [b"", b"{}", b'{"choices": []}', b'{"choices": [{"message": null}]}', b"[]"])
def test_whole_nonsense(encke: Run, gateway: Script, body: bytes) -> None:
    """A whole answer without a message is an error."""
    gateway.body = body
    done = encke("chat", "Hi?", "--no-stream", "--model", "m", ENCKE_API_KEY="sk-mine")
    assert done.exit_code == 1 and "makes no sense" in done.stderr


def test_models(encke: Run, gateway: Script) -> None:
    """The models are listed with where they come from and what they cost; as JSON as the gateway sent them."""
    shown = encke("models", ENCKE_API_KEY="k").stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["MODEL", "FROM", "INPUT", "OUTPUT", "PRICE"],
        ["a/b", "lab", "0.25", "/", "-", "2", "/", "-", "set-1", "/", "unpriced"],
        ["local", "encke"],
    ]
    assert json.loads(encke("models", "--json", ENCKE_API_KEY="k").stdout) == MODELS
    gateway.models = {"data": 1}
    assert "makes no sense" in encke("models", ENCKE_API_KEY="k").stderr
    gateway.models = {"data": []}
    assert "offers no model" in encke("chat", "Hi?", ENCKE_API_KEY="k").stderr


def test_no_key_and_no_gateway(encke: Run, data: Path) -> None:
    """Without a key, and without a gateway, the message says what to do."""
    done = encke("chat", "Hi?")
    assert done.exit_code == 1 and "set ENCKE_API_KEY" in done.stderr
    done = encke("models", ENCKE_API_KEY="k", ENCKE_LISTEN="127.0.0.1:1")
    assert done.exit_code == 1 and "no gateway answers at 127.0.0.1:1" in done.stderr and "encke serve" in done.stderr
