"""What lets a provider take another model than the one that is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.dialects.table import CLIENTS

FUNCTION = {"type": "function", "name": "f", "parameters": {"properties": {"model": {"type": "string"}}}}
ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}
IMAGES = {"type": "image_generation", "model": "gpt-image-2"}


def found(route: str, body: dict[str, Any] | bytes) -> str | None:
    """By a route's side, of a body without what has to be there in any case."""
    usual = {
        "chat": b'{"model":"m","messages":[]',
        "messages": b'{"model":"m","max_tokens":1,"messages":[]',
        "responses": b'{"model":"m"',
        "generate": b'{"contents":[]',
    }[route]
    more = body if isinstance(body, bytes) else json.dumps(body).encode()
    data = usual + b"," + more[1:]
    if route == "responses" and b'"input"' not in more:
        data = data[:-1] + b',"input":"x"}'
    side = CLIENTS[route]
    return side.others(side.read(data, "m:generateContent", {}))


@pytest.mark.parametrize(
    ("route", "body", "expected"),
    [
        ("chat", {"models": ["a"]}, "models"),
        ("chat", {"preset": "p"}, "preset"),
        ("messages", {"fallbacks": [{"model": "b"}]}, "fallbacks"),
        ("chat", {"models": None, "preset": None, "fallbacks": None}, None),
        ("messages", {"tools": [FUNCTION, ADVISOR]}, "tools[1].model"),
        ("responses", {"tools": [IMAGES]}, "tools[0].model"),
        ("responses", {"tools": [{**IMAGES, "model": None}, FUNCTION]}, None),
        ("responses", b'{"tools":[{"type":"image_generation","mod\\u0065l":"x"}]}', "tools[0].model"),
        ("responses", {"input": [{"type": "message"}, {"type": "additional_tools", "tools": [IMAGES]}]},
         "input[1].tools[0].model"),
        ("responses", b'{"input":[{"type":"additional\\u005ftools","tools":[{"model":"x"}]}]}',
         "input[0].tools[0].model"),
        ("responses", {"input": [{"type": "additional_tools", "tools": [FUNCTION]}, 7, None]}, None),
        ("chat", {"tools": 7}, None),
        ("chat", {"tools": [7, "model"]}, None),
        ("generate", {"generationConfig": {"routingConfig": {"autoMode": {}}}}, "generationConfig.routingConfig"),
        ("generate", {"generation_config": {"model_selection_config": {"featureSelectionPreference": "X"}}},
         "generationConfig.modelSelectionConfig"),
        ("generate", {"generationConfig": {"routingConfig": {}, "temperature": 1}}, None),
        ("generate", {"generationConfig": 7}, None),
    ],
)  # fmt: skip
def test_others(route: str, body: dict[str, Any] | bytes, expected: str | None) -> None:
    """Fields of the request and of tools that a provider runs, however they are written; no function's arguments."""
    assert found(route, body) == expected
