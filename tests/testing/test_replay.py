"""Recorded exchanges come back as they were, however they are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing import replay
from encke.testing.replay import Exchange
from encke.testing.script import Rst
from encke.testing.upstream import FakeUpstream
from tests.support import recordings
from tests.support.client import Client, chat

EXAMPLES = replay.examples()


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as running:
        yield running


def serve(upstream: FakeUpstream, exchange: Exchange, how: str) -> None:
    """Serve it and check that a client gets status, headers and body as recorded."""
    script = exchange.at_random(seed=7) if how == "at_random" else getattr(exchange, how)()
    upstream.queue(script)
    with Client(upstream.port) as client:
        response = client.call("POST", "/v1/chat/completions", chat())
    assert response.complete
    assert (response.status, response.body) == (exchange.status, exchange.body)
    assert set(exchange.headers) <= set(response.headers)


def test_examples_are_sound() -> None:
    """There are a dozen or more, marked as ours, whose features agree with what is in them."""
    assert len(EXAMPLES) >= 12
    assert len({one.id for one in EXAMPLES}) == len(EXAMPLES)
    for one in EXAMPLES:
        assert one.record["edits"] == ["written by hand"]
        assert one.exact
        assert one.stream == ("stream" in one.features) == bool((one.request_body or {}).get("stream"))
        assert ("usage" in one.features) == (b'"usage"' in one.body)
        assert (f"error:{one.status}" in one.features) == (one.status != 200)


@pytest.mark.parametrize("how", ["whole", "bytewise", "at_random"])
@pytest.mark.parametrize("exchange", EXAMPLES, ids=lambda one: one.id)
def test_examples_are_served_as_they_are(upstream: FakeUpstream, exchange: Exchange, how: str) -> None:
    """Whole, byte by byte and cut at random, the client reads the same answer."""
    serve(upstream, exchange, how)


def test_a_cut_response_ends_at_its_byte(upstream: FakeUpstream) -> None:
    """`cut` sends so many raw bytes and then the steps given."""
    exchange = next(one for one in EXAMPLES if one.stream)
    upstream.queue(exchange.cut(150, Rst()))
    with Client(upstream.port) as client:
        client.request("POST", "/v1/chat/completions", chat())
        assert not client.wait_ended()
        assert exchange.response().startswith(bytes(client.buffer))


def test_events_are_chunks_of_their_own() -> None:
    """By default a stream is chunked as providers do: one event a chunk."""
    exchange = next(one for one in EXAMPLES if one.id == "example-stream-crlf")
    sizes = replay.event_sizes(exchange.body)
    assert len(sizes) == exchange.body.count(b"data:") + 1
    assert sum(sizes[:-1]) == len(exchange.body)


def test_missing_recordings_are_an_error(tmp_path: Path) -> None:
    """A wrong folder is named."""
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        list(replay.recorded(tmp_path))


def test_where_recordings_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without recordings a test is skipped and says what was left out; under CI it fails."""
    monkeypatch.setenv(recordings.VARIABLE, str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="LEFT OUT"):
        recordings.folder()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="ENCKE_RECORDINGS"):
        recordings.folder()
    (tmp_path / "data").mkdir()
    assert recordings.folder() == tmp_path


@pytest.mark.recordings
def test_recordings_can_be_read() -> None:
    """Every exchange of the chat API gives a response, and the filters filter."""
    folder = recordings.folder()
    every = list(replay.recorded(folder, api="openai.chat"))
    assert len(every) > 1000
    for one in every:
        assert one.response().startswith(b"HTTP/1.1 %d " % one.status)
    wanted = list(replay.recorded(folder, api="openai.chat", features=frozenset({"tool_call_stream"}), exact=True))
    assert 0 < len(wanted) < len(every)
    assert all(one.exact and one.stream and "tool_call" in json.dumps(one.record) for one in wanted)


@pytest.mark.recordings
def test_recordings_are_served_as_they_are(upstream: FakeUpstream) -> None:
    """A sample over all providers of the chat API, cut at random, arrives unchanged."""
    for exchange in list(replay.recorded(recordings.folder(), api="openai.chat"))[::40]:
        serve(upstream, exchange, "at_random")
