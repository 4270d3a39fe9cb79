"""The fake upstream as a process of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.support.client import Client, chat

CHAT = "/v1/chat/completions"


def test_process_with_rules(tmp_path: Path) -> None:
    """A process of its own follows its rules as they change, and its statement outlives it."""
    rules: list[dict[str, object]] = [{"model": "m1", "times": 1, "behave": {"name": "503"}}]
    with UpstreamProcess(tmp_path, rules, keep_body=100) as upstream:
        with Client(upstream.port) as client:
            statuses = [client.call("POST", CHAT, chat(model=model)).status for model in ("m2", "m1", "m1")]
            upstream.set_rules([{"contains": "teapot", "behave": {"name": "404"}}])
            statuses += [client.call("POST", CHAT, chat(text)).status for text in ("a teapot", "tea")]
        upstream.statement.wait_for(lambda s: s.open_connections == 0)
    assert statuses == [200, 503, 200, 404, 200]
    assert [one.behaviour for one in upstream.statement.calls()] == ["polite", "503", "polite", "404", "polite"]
    with pytest.raises(ConnectionRefusedError):
        Client(upstream.port)


def test_process_that_cannot_start_says_so(tmp_path: Path) -> None:
    """A port that is taken is an error, not a hang."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RuntimeError, match="did not start"):
        UpstreamProcess(tmp_path, port=taken.getsockname()[1])
