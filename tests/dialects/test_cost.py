"""`cost` is spliced into answers' usage, and nothing else of them changes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.cost import CHAT_PLACE, CostPlace, array_with_cost, cost_event, end_with_cost, with_cost
from encke.dialects.table import CLIENTS

COST = b"0.000123456"
USED = Usage(input=7, cache_read=3, output=4, reasoning=1)
GUESSED = Usage(input=10, output=5, estimated=True)


def read(data: bytes) -> Any:
    """JSON with exact numbers."""
    return json.loads(data, parse_float=Decimal)


@pytest.mark.parametrize(
    ("data", "costed"),
    [
        (b'{"id":"x","usage":{"prompt_tokens":1}}', b'{"id":"x","usage":{"prompt_tokens":1,"cost":0.000123456}}'),
        (
            b'{ "usage" : {"prompt_tokens":1 }  , "choices" : [ ] }\n',
            b'{ "usage" : {"prompt_tokens":1 ,"cost":0.000123456}  , "choices" : [ ] }\n',
        ),
        # What stands inside of something else is not the answer's own.
        (
            b'{"usage":{"a":1},"x":{"usage":{"a":1}},"choices":[{"usage":{"a":1}}]}',
            b'{"usage":{"a":1,"cost":0.000123456},"x":{"usage":{"a":1}},"choices":[{"usage":{"a":1}}]}',
        ),
        # A text is not a key.
        (
            b'{"usage":{"a":1},"text":"\\"usage\\":{\\"a\\":1}"}',
            b'{"usage":{"a":1,"cost":0.000123456},"text":"\\"usage\\":{\\"a\\":1}"}',
        ),
        # A provider's own gives way, also null, also before other fields.
        (b'{"usage":{"cost":0.5,"a":1}}', b'{"usage":{"cost":0.000123456,"a":1}}'),
        (b'{"usage":{"a":{"cost":null},"cost":null}}', b'{"usage":{"a":{"cost":null},"cost":0.000123456}}'),
        # Of two the last counts, for whoever reads it.
        (b'{"usage":{"a":1},"usage":{"a":1}}', b'{"usage":{"a":1},"usage":{"a":1,"cost":0.000123456}}'),
        (b'{"usage":null}', b'{"usage":%b}' % CHAT_PLACE.made(COST, USED)),
        (b'{"usage":{}}', b'{"usage":%b}' % CHAT_PLACE.made(COST, USED)),
        (b'{"id":"x"} ', b'{"id":"x","usage":%b} ' % CHAT_PLACE.made(COST, USED)),
        (b"{ }", b'{ "usage":%b}' % CHAT_PLACE.made(COST, USED)),
        # Nothing that could be read.
        (b'{"usage":"much"}', b'{"usage":"much"}'),
        (b'{"usage":', b'{"usage":'),
        (b"[]", b"[]"),
    ],
)
def test_where_it_goes(data: bytes, costed: bytes) -> None:
    """Into the object's own usage, or into one made for it; every other byte stays."""
    assert with_cost(data, COST, USED) == costed


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["usage", "cost"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=5) | st.sampled_from(["usage", "choices"]), _VALUES, max_size=5),
    st.none() | st.dictionaries(st.text(max_size=5) | st.just("cost"), _VALUES, max_size=4),
    st.sampled_from([None, 1]),
)
def test_nothing_else_changes(answer: dict[str, Any], usage: dict[str, Any] | None, indent: int | None) -> None:
    """Of any object, in any layout: the cost is there, and all the rest is as it was."""
    answer = {**answer, "usage": usage}
    costed = read(with_cost(json.dumps(answer, indent=indent).encode(), COST, GUESSED))
    found = costed["usage"].pop("cost")
    assert found == Decimal("0.000123456")
    if not usage:
        assert costed.pop("usage") == {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "estimated": True,
        }
        answer.pop("usage")
    else:
        usage.pop("cost", None)
    assert costed == answer


def test_who_repeats_the_key_gets_no_cost() -> None:
    """Each place costs a look at the whole: after some there is an end, and the answer passes as it came."""
    data = b'{"usage":{"a":1},"x":[' + b",".join([b'{"usage":{"a":1}}'] * 5000) + b"]}"
    assert with_cost(data, COST, USED) == data


def test_no_price_is_null() -> None:
    """Unknown is not 0."""
    assert with_cost(b'{"usage":{"a":1}}', b"null", USED) == b'{"usage":{"a":1,"cost":null}}'


def test_events_keep_their_lines() -> None:
    """A comment and an id stay; data of several lines stays data."""
    one = b'id: 7\ndata: {"usage":{"a":1}}\n\ndata: [DONE]\n\n'
    costed = b'id: 7\ndata: {"usage":{"a":1,"cost":0.000123456}}\n\ndata: [DONE]\n\n'
    assert end_with_cost(one, COST, USED, CHAT_PLACE) == costed
    lines = b'data: {"usage":\ndata: {"a":1}}\n\n'
    assert end_with_cost(lines, COST, USED, CHAT_PLACE) == b'data: {"usage":\ndata: {"a":1,"cost":0.000123456}}\n\n'


def place_of(route: str) -> CostPlace:
    """A route's."""
    place = CLIENTS[route].cost_place
    assert place is not None
    return place


def events(*told: Any) -> bytes:
    """As they go out."""
    return b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in told)


DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
STOPPED = {"type": "message_stop"}
ENDED = {"type": "response.completed", "response": {"id": "r", "output": [{"usage": {"a": 1}}]}}
PIECE = {"candidates": [{"finishReason": "STOP"}]}


@pytest.mark.parametrize(
    ("route", "end", "at", "path"),
    [
        ("messages", [{**DELTA, "usage": {"a": 1}}, STOPPED], 0, ("usage",)),
        ("messages", [DELTA, STOPPED], 0, ("usage",)),
        ("messages", [{"type": "message_start", "usage": {"a": 1}}, {**DELTA, "usage": {}}, STOPPED], 1, ("usage",)),
        ("responses", [{"type": "response.x", "usage": {"a": 1}}, ENDED], 1, ("response", "usage")),
        ("responses", [{**ENDED, "response": {"usage": {"a": 1}}}], 0, ("response", "usage")),
        ("responses", [{**ENDED, "response": {"usage": None}}], 0, ("response", "usage")),
        ("generate", [{"usageMetadata": {"a": 1}}, PIECE], 0, ("usageMetadata",)),
        ("generate", [PIECE, {**PIECE, "usageMetadata": {"a": 1}}], 1, ("usageMetadata",)),
        ("generate", [PIECE, PIECE], 1, ("usageMetadata",)),
    ],
)
def test_where_it_goes_in_a_stream(route: str, end: list[dict[str, Any]], at: int, path: tuple[str, ...]) -> None:
    """Each dialect's last event that has usage, or should have it; every other byte stays."""
    given = events(*end)
    made = end_with_cost(given, COST, GUESSED, place_of(route))
    assert made is not None
    found = [read(one[6:]) for one in made.split(b"\n\n") if one]
    usage = found[at]
    for name in path:
        usage = usage[name]
    assert usage.pop("cost") == Decimal("0.000123456")
    assert usage == {"a": 1} or usage.pop("estimated") is True
    others = [one for place, one in enumerate(found) if place != at]
    assert others == [one for place, one in enumerate(end) if place != at]


@pytest.mark.parametrize("route", ["chat", "messages", "responses"])
def test_no_place_in_a_stream(route: str) -> None:
    """Where no event is one that has usage, nothing is made up in another's place."""
    assert end_with_cost(events(STOPPED) + b"data: x\n\n: y\n\n", COST, USED, place_of(route)) is None


@pytest.mark.parametrize("before", [b"[", b"\n,\r\n"])
@pytest.mark.parametrize("after", [b"\n]", b""])
def test_an_array_of_answers(before: bytes, after: bytes) -> None:
    """Of Google's streams that are an array the last element has it, whether the array has ended or not."""
    first = b'{"candidates":[{"a":[1]}]}\n,\r\n'
    made = array_with_cost(before + first + b'{"usageMetadata":{"a":1}}' + after, COST, USED, place_of("generate"))
    assert made == before + first + b'{"usageMetadata":{"a":1,"cost":0.000123456}}' + after
    assert array_with_cost(b"\n]", COST, USED, place_of("generate")) == b"\n]"


@pytest.mark.parametrize(("route", "kind"), [("chat", "chat.completion.chunk"), ("completions", "text_completion")])
def test_an_event_of_its_own(route: str, kind: str) -> None:
    """As the last event of a stream is that has been asked for usage."""
    event = cost_event("019", 1_700_000_000, 'lab/"m"', route, b"null", GUESSED)
    assert event.startswith(b"data: ") and event.endswith(b"}\n\n")
    assert msgspec.json.decode(event[6:]) == {
        "id": "019",
        "object": kind,
        "created": 1_700_000_000,
        "model": 'lab/"m"',
        "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "estimated": True, "cost": None},
    }
