"""The tap says of each event what it means, and is put off by none."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.anthropic_messages import tap as taps
from encke.dialects.anthropic_messages.tap import MessagesTap
from encke.dialects.anthropic_messages.wire import STOP, TapEvent
from encke.dialects.port import CONTENT, END, ERROR, PASS


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}).encode()


def text(piece: str, index: int = 0, pad: int = 0) -> bytes:
    """As upstream writes it: without white space, and padded before the last brace."""
    made = json.dumps(
        {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}},
        separators=(",", ":"),
    )
    return f"{made[:-1]}{' ' * pad}}}".encode()


def start(**block: Any) -> bytes:
    return event("content_block_start", index=0, content_block=block)


def delta(**more: Any) -> bytes:
    return event("content_block_delta", index=0, delta=more)


@pytest.mark.parametrize(
    "data",
    [
        text("Hi"),
        text("x" * 100),
        delta(type="thinking_delta", thinking="hm"),
        delta(type="input_json_delta", partial_json='{"a'),
        delta(type="compaction_delta", content="so far"),
        start(type="tool_use", id="t", name="f", input={}),
        start(type="server_tool_use", id="t", name="web_search", input={}),
        start(type="redacted_thinking", data="abc"),
        start(type="web_search_tool_result", tool_use_id="t", content=[]),
        start(type="text", text="at once"),
    ],
)
def test_content(data: bytes) -> None:
    """Text, thoughts, arguments, tools and results are content."""
    tap = MessagesTap()
    assert tap.feed(data) == CONTENT
    assert not tap.finished


@pytest.mark.parametrize(
    "data",
    [
        b'{"type": "ping"}',
        b'{"type":"message_start","message":{}}',
        start(type="text", text=""),
        start(type="thinking", thinking="", signature=""),
        text(""),
        text(" \n"),
        delta(type="signature_delta", signature="abc"),
        delta(type="citations_delta", citation={"type": "char_location"}),
        event("content_block_stop", index=0),
        event("tomorrow", text="?"),
        b"",
        b"{",
        b"[]",
        b"3",
        b"\xff",
        b'{"type":"content_block_delta"}',
        b'{"type":"content_block_start","content_block":null}',
        b'{"type":"message_delta","delta":{"stop_reason":null}}',
        b"[" * 5000,
    ],
)
def test_no_content(data: bytes) -> None:
    """Pings, borders of blocks, white space, events of tomorrow and nonsense are none."""
    tap = MessagesTap()
    assert tap.feed(data) == PASS
    assert tap.content_bytes <= 4 and tap.fault is None


def test_usage_is_told_twice() -> None:
    """At the start what was read, at the end all of it; what the end leaves out stays, and how long caches last too."""
    tap = MessagesTap()
    usage = {
        "input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    }  # fmt: skip
    tap.feed(event("message_start", message={"usage": usage}))
    assert tap.usage == Usage(input=10, cache_read=5, cache_write_5m=3, cache_write_1h=4, output=1)
    tap.feed(text("hello"))
    assert (tap.content_bytes, tap.usage_at) == (5, 0)
    assert tap.feed(event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})) == CONTENT
    assert tap.usage == Usage(input=10, cache_read=5, cache_write_5m=3, cache_write_1h=4, output=9)
    assert (tap.finish_reason, tap.finished, tap.usage_at) == ("end_turn", True, 5)
    assert tap.feed(event("message_stop")) == END
    assert tap.close() == STOP


@pytest.mark.parametrize(
    "error, code, verdict",
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "overloaded", "again"),
        ({"type": "api_error", "message": "Internal server error"}, "upstream_error", "again"),
        ({"type": "rate_limit_error", "message": "slow down"}, "upstream_rate_limited", "again"),
        ({"type": "authentication_error", "message": "no"}, "upstream_auth", "next"),
        ({"type": "invalid_request_error", "message": "prompt is too long"}, "context_length_exceeded", "stop"),
        ({"type": "invalid_request_error", "message": "no"}, "upstream_invalid_request", "stop"),
        ("text", "upstream_error", "again"),
        (None, "upstream_error", "again"),
    ],
)
def test_errors(error: Any, code: str, verdict: str) -> None:
    """An error in a stream is the Fault that its type says."""
    tap = MessagesTap()
    assert tap.feed(event("error", error=error)) == ERROR
    assert tap.fault is not None and (tap.fault.code, tap.fault.verdict) == (code, verdict)


def test_pieces_of_one_text_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second on, though each is padded in its own way; what has an escape or another shape is decoded."""
    tap = MessagesTap()
    tap.feed(start(type="text", text=""))
    assert tap.feed(text("one", pad=3)) == CONTENT
    decoded = []

    class Spy:
        def decode(self, data: bytes) -> Any:
            decoded.append(data)
            return msgspec.json.decode(data, type=TapEvent)

    monkeypatch.setattr(taps, "_event", Spy())
    for number in range(20):
        assert tap.feed(text(f" word {number} {{}}", pad=number)) == CONTENT
    if not taps.__file__.endswith(".py"):
        return  # compiled code does not look names up
    assert decoded == []
    odd = [text('a "quote"'), text("line\n"), text("x", index=1), text("x")[:-1] + b',"more":1}']
    for data in odd:
        assert tap.feed(data) == CONTENT
    assert decoded == odd


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=12), st.integers(0, 20))
@settings(deadline=None)
def test_learning_changes_nothing(pieces: list[str], pad: int) -> None:
    """What was learned gives what decoding would: the same bytes are counted."""
    quick = MessagesTap()
    quick.feed(text("a"))
    for piece in pieces:
        flags, before = quick.feed(text(piece, pad=pad)), quick.content_bytes
        slow = MessagesTap()
        slow.feed(delta(type="input_json_delta", partial_json="{}"))
        slow._learned = True
        at = slow.content_bytes
        assert slow.feed(text(piece, pad=pad)) == flags
        assert slow.content_bytes - at == len(json.dumps(piece)) - 2
        assert before == quick.content_bytes


def test_odd_types_are_looked_at_all_the_same() -> None:
    """An event of which one field has another type than it should still tells the rest."""
    tap = MessagesTap()
    assert tap.feed(b'{"type":"content_block_delta","delta":{"type":7,"text":"x"}}') == CONTENT
    odd = b'{"type":"message_delta","delta":{"type":1,"stop_reason":"end_turn"},"usage":{"output_tokens":3}}'
    assert tap.feed(odd) == CONTENT
    assert tap.finish_reason == "end_turn" and tap.usage == Usage(output=3)
    assert tap.feed(b'{"type":"message_stop","delta":7}') == END
    assert tap.feed(b'{"type":"error","error":{"type":"api_error"},"delta":7}') == ERROR


NAMES = ["type", "delta", "message", "usage", "content_block", "error", "text", "stop_reason", "index"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=12,
)


@given(ANY)
@settings(deadline=None)
def test_nothing_breaks_it(value: Any) -> None:
    """Whatever is JSON, in whatever place."""
    tap = MessagesTap()
    for kind in ("content_block_delta", "content_block_start", "message_start", "message_delta", "error"):
        tap.feed(json.dumps({"type": kind, "delta": value, "content_block": value, "usage": value}).encode())
    tap.feed(json.dumps(value).encode())


@pytest.mark.parametrize(
    "rest, whole",
    [
        (b'event: message_stop\ndata: {"type":"message_stop"}', True),
        (b'event: message_stop\ndata: {"type":"message_st', False),
        (b"event: message_stop", False),
        (b"", False),
    ],
)
def test_an_event_without_its_blank_line(rest: bytes, whole: bool) -> None:
    """Is whole if its data is."""
    assert MessagesTap().is_whole(rest) is whole
