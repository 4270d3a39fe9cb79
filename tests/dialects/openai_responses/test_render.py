"""A request that passes: byte for byte what came, but for the model and a limit."""

from __future__ import annotations

import json

from encke.core.traits import PLAIN
from encke.dialects.openai_responses.client import ResponsesClient
from tests.dialects.openai_responses.recorded import exchanges


def sent(data: bytes, model: str, limit: int = 0) -> bytes:
    side = ResponsesClient()
    request = side.read(data, "", {})
    request.output_limit = limit
    return b"".join(side.render(request, model, PLAIN))


def test_only_the_model_changes() -> None:
    """Order, unknown fields and numbers stay as they were written."""
    data = b'{"z":1.50,"input":"\\u00e4","model":"a","later":{"x" : 1e2}}'
    assert sent(data, "b") == data.replace(b'"a"', b'"b"')


def test_a_limit_is_set() -> None:
    """Where the gateway bounds the answer, its length stands in the body."""
    assert sent(b'{"model":"a","input":"x"}', "b", 16) == b'{"model":"b","input":"x","max_output_tokens":16}'
    assert json.loads(sent(b'{"model":"a","max_output_tokens":null,"input":"x"}', "b", 16))["max_output_tokens"] == 16


def test_recorded_requests_are_the_same_to_the_byte() -> None:
    """Each recorded request, compact and with white space, leaves as it came when the model's name is the same."""
    seen = 0
    for one in exchanges():
        if not one.body or not isinstance(one.body.get("model"), str):
            continue
        name, seen = one.body["model"], seen + 1
        data = json.dumps(one.body, separators=(",", ":"), ensure_ascii=False).encode()
        assert sent(data, name) == data, one.id
        spaced = json.dumps(one.body, indent=1).encode()
        assert json.loads(sent(spaced, "other")) == {**one.body, "model": "other"}, one.id
    assert seen > 1200
