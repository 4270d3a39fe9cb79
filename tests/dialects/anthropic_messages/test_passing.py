"""A call that passes: the request goes on as it came, and of the answer what the gateway needs is read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.core.traits import PLAIN
from encke.core.usage import Usage
from encke.dialects.table import CLIENTS

MESSAGES, COUNT = CLIENTS["messages"], CLIENTS["count_tokens"]
BODY: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
NAMES = st.text(st.characters(codec="utf-8"), max_size=6).map("x".__add__)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def sent(data: bytes, model: str = "other", limit: int = 0) -> bytes:
    """What goes to upstream."""
    request = MESSAGES.read(data, "", {})
    request.output_limit = limit
    return b"".join(MESSAGES.render(request, model, PLAIN))


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6).map("x".__add__), JSON, max_size=4), st.booleans()
)
def test_only_the_model_changes(more: dict[str, Any], compact: bool) -> None:
    """Whatever else there is, in the order it came in."""
    body = {**more, **BODY}
    data = json.dumps(body, separators=(",", ":") if compact else None, ensure_ascii=False).encode()
    after = sent(data)
    assert list(json.loads(after)) == list(body)
    assert json.loads(after) == {**body, "model": "other"}
    if compact:
        head, tail = data.rsplit(b'"model":"m"', 1)
        assert after == head + b'"model":"other"' + tail


def test_the_gateways_own_bound() -> None:
    """Stands in place of the caller's where it is another, and changes nothing where it is the same."""
    data = json.dumps(BODY, separators=(",", ":")).encode()
    assert json.loads(sent(data, limit=3)) == {**BODY, "model": "other", "max_tokens": 3}
    assert sent(data, limit=5) == data.replace(b'"m"', b'"other"')


@pytest.mark.parametrize(
    "change, code, param",
    [
        ({"model": None}, "invalid_type", "model"),
        ({"model": ""}, "invalid_value", "model"),
        ({"max_tokens": None}, "invalid_type", "max_tokens"),
        ({"max_tokens": "5"}, "invalid_type", "max_tokens"),
        ({"max_tokens": 1.5}, "invalid_type", "max_tokens"),
        ({"max_tokens": -1}, "invalid_value", "max_tokens"),
        ({"messages": "Hi"}, "invalid_type", "messages"),
        ({"stream": "yes"}, "invalid_type", "stream"),
    ],
)
def test_wrong_types(change: dict[str, Any], code: str, param: str) -> None:
    """Are told with the field's name."""
    with pytest.raises(Fault) as found:
        MESSAGES.read(json.dumps({**BODY, **change}).encode(), "", {})
    assert (found.value.code, found.value.param) == (code, param)


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_what_has_to_be_there(name: str) -> None:
    """The model, the bound, and messages."""
    with pytest.raises(Fault) as found:
        MESSAGES.read(json.dumps({key: BODY[key] for key in BODY if key != name}).encode(), "", {})
    assert (found.value.code, found.value.param) == ("missing_required_parameter", name)


def test_counting_needs_no_bound() -> None:
    """count_tokens has neither max_tokens nor streams."""
    request = COUNT.read(b'{"model":"m","messages":[],"stream":true}', "", {})
    assert (request.model, request.stream, COUNT.output_limit(request), COUNT.unbounded(request)) == (
        "m",
        False,
        None,
        None,
    )
    assert COUNT.read_reply(b'{"input_tokens":7}').usage is None
    for bad in (b"{}", b'{"input_tokens":"7"}', b'{"input_tokens":-7}', b"[", b"\xff"):
        with pytest.raises(Fault, match="upstream_bad_response"):
            COUNT.read_reply(bad)


def test_the_callers_headers_go_on() -> None:
    """The betas, and the version if it is not the usual one; nothing else, and nothing that could split a header."""
    data = json.dumps(BODY).encode()
    headers = {b"anthropic-beta": b"a-2025-01-01, b", b"anthropic-version": b"2023-06-01", b"x-other": b"?"}
    assert MESSAGES.read(data, "", headers).fields == b"anthropic-beta: a-2025-01-01, b\r\n"
    assert MESSAGES.read(data, "", {b"anthropic-version": b"2027-01-01"}).fields == b"anthropic-version: 2027-01-01\r\n"
    assert MESSAGES.read(data, "", {}).fields == b""
    for bad in (b"a\r\nx: y", b"\x00", "ü".encode(), b"a" * 5000):
        with pytest.raises(Fault) as found:
            MESSAGES.read(data, "", {b"anthropic-beta": bad})
        assert found.value.param == "anthropic-beta"


@pytest.mark.parametrize("limit, told", [(0, 0), (5, 5), (1 << 40, 1 << 26)])
def test_the_callers_bound(limit: int, told: int) -> None:
    """Is max_tokens; 0 only fills the cache."""
    request = MESSAGES.read(json.dumps({**BODY, "max_tokens": limit}).encode(), "", {})
    assert MESSAGES.output_limit(request) == told


@pytest.mark.parametrize(
    "more, name",
    [
        ({}, None),
        ({"service_tier": "standard_only", "speed": None, "mcp_servers": []}, None),
        ({"speed": "fast"}, "speed"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, None),
        ({"context_management": None}, None),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management"),
        ({"context_management": 7}, "context_management"),
        ({"tools": [{"name": "f", "input_schema": {"type": "object"}}, {"type": "custom", "name": "g"}]}, None),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
        ({"tools": 7}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, None),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]}, "image"),
        ({"messages": [{"content": [{"type": "document", "source": {"type": "text", "data": "x"}}]}]}, None),
        ({"messages": [{"content": [{"type": "document", "source": {"type": "url", "url": "x"}}]}]}, "document"),
        ({"messages": [{"content": [{"type": "tool_result", "content": [{"type": "image"}]}]}]}, "image"),
        ({"messages": [{"content": [{"type": "tool_use", "input": {"type": "image"}}]}]}, None),
        ({"messages": [{"content": [{"type": "container_upload"}]}]}, "container_upload"),
        ({"messages": [7]}, "messages"),
        ({"messages": [{"content": [7]}]}, "messages"),
    ],
)
def test_what_nobody_can_bound(more: dict[str, Any], name: str | None) -> None:
    """Is named."""
    request = MESSAGES.read(json.dumps({**BODY, **more}).encode(), "", {})
    assert MESSAGES.unbounded(request) == name


def test_a_whole_answer() -> None:
    """Its usage and why it ended."""
    answer = {
        "type": "message",
        "content": [],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    parsed = MESSAGES.read_reply(msgspec.json.encode(answer))
    assert (parsed.usage, parsed.finish_reason) == (Usage(input=3, output=4), "end_turn")
    for odd in ({}, {"stop_reason": None}, {"stop_reason": 7}, {"stop_reason": "x" * 500}):
        assert MESSAGES.read_reply(msgspec.json.encode({"content": [], **odd})).finish_reason == ""


@pytest.mark.parametrize(
    "data, code",
    [
        (b"", "upstream_bad_response"),
        (b"[]", "upstream_bad_response"),
        (b"{}", "upstream_bad_response"),
        (b'{"content":"x"}', "upstream_bad_response"),
        (b'{"content":[],"x":"\xff"}', "upstream_bad_response"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "overloaded"),
    ],
)
def test_no_answer(data: bytes, code: str) -> None:
    """What is none is a Fault."""
    with pytest.raises(Fault) as found:
        MESSAGES.read_reply(data)
    assert found.value.code == code
