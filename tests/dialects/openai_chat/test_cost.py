"""`usage.cost` is spliced into answers, and nothing else of them changes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.openai_chat.cost import cost_event, event_with_cost, usage_object, with_cost

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
        (b'{"usage":null}', b'{"usage":%b}' % usage_object(COST, USED)),
        (b'{"usage":{}}', b'{"usage":%b}' % usage_object(COST, USED)),
        (b'{"id":"x"} ', b'{"id":"x","usage":%b} ' % usage_object(COST, USED)),
        (b"{ }", b'{ "usage":%b}' % usage_object(COST, USED)),
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
    raw, data = b'id: 7\ndata: {"usage":{"a":1}}\n\n', b'{"usage":{"a":1}}'
    assert event_with_cost(raw, data, COST, USED) == b'id: 7\ndata: {"usage":{"a":1,"cost":0.000123456}}\n\n'
    raw, data = b'data: {"usage":\ndata: {"a":1}}\n\n', b'{"usage":\n{"a":1}}'
    assert event_with_cost(raw, data, COST, USED) == b'data: {"usage":\ndata: {"a":1,"cost":0.000123456}}\n\n'


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
