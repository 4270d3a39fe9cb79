"""The helpers of the tests themselves: settings as TOML, and a client that tells how a connection ended."""

from __future__ import annotations

import tomllib

from encke.testing import wire
from encke.testing.script import Fin, Script, Send, Sleep
from encke.testing.upstream import FakeUpstream
from tests.support.client import Client, chat
from tests.support.gateway import lab, to_toml


def test_settings_become_toml() -> None:
    """Nested tables, lists of tables, names with dots and every plain type come back as they were."""
    settings = {
        **lab("http://127.0.0.1:1"),
        "server": {"workers": 2, "drain": 1.5, "on": True},
        "models": {'gpt-5.1 "x"': {"targets": [{"provider": "lab", "model": "é"}], "fallback": ["a", "b"]}},
    }
    assert tomllib.loads(to_toml(settings)) == settings


def test_events_come_one_by_one() -> None:
    """The client gives an event before the next was sent, and says when a stream was cut."""
    with FakeUpstream() as upstream, Client(upstream.port) as client:
        head = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED])
        first = Send(head + wire.chunk(b"data: 1\n\ndata: "))
        upstream.queue(Script([first, Sleep(0.05), Send(wire.chunk(b"2\n\n")), Fin()]))
        client.request("POST", "/", chat())
        events = client.events(client.read_head())
        assert next(events) == "1"
        assert upstream.statement.outcomes() == []
        assert next(events) == "2"
        try:
            next(events)
        except ConnectionError as error:
            assert "ended" in str(error)
        else:
            raise AssertionError("the cut was not noticed")


def test_three_ways_to_frame_a_body() -> None:
    """Length, chunks and the end of the connection give the same body; only the last cannot tell that it was cut."""
    framed = [
        (wire.http_response(200, [], b"hello"), True),
        (wire.head(200, [wire.CHUNKED]) + wire.chunked(b"hello", [2]), True),
        (wire.head(200) + b"hello", True),
        (wire.head(200, [("content-length", "9")]) + b"hello", False),
    ]
    with FakeUpstream() as upstream:
        for raw, complete in framed:
            upstream.queue(Script([Send(raw), Fin()]))
            with Client(upstream.port) as client:
                response = client.call("POST", "/", b"")
            assert (response.body, response.complete) == (b"hello", complete)
