"""What lets a provider take another model than the one that is asked for."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from encke.core.faults import Fault
from encke.dialects import others as look
from encke.dialects.table import CLIENTS
from encke.dialects.typed import MOST_VALUES

FUNCTION = {"type": "function", "name": "f", "parameters": {"properties": {"model": {"type": "string"}}}}
ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}
IMAGES = {"type": "image_generation", "model": "gpt-image-2"}


def server(name: str, **parameters: object) -> dict[str, Any]:
    """A tool that OpenRouter runs."""
    return {"type": f"openrouter:{name}", "parameters": parameters}


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
        ("responses", {"input": [{"type": "tool_search_output", "tools": [IMAGES]}]}, "input[0].tools[0].model"),
        ("chat", {"tools": [server("advisor", model="a/b")]}, "tools[0].parameters.model"),
        ("chat", {"tools": [FUNCTION, server("fusion", analysis_models=["a/b"])]},
         "tools[1].parameters.analysis_models"),
        ("chat", {"tools": [server("image_generation", model="a/b")]}, "tools[0].parameters.model"),
        ("chat", {"tools": [server("new", model=None)]}, None),
        ("chat", {"tools": [server("advisor")]}, "tools[0]"),
        ("messages", {"tools": [server("fusion")]}, "tools[0]"),
        ("responses", {"tools": [server("subagent", instructions="x")]}, "tools[0]"),
        ("chat", {"tools": [{"type": "openrouter:image_generation"}]}, "tools[0]"),
        ("responses", {"input": [{"type": "additional_tools", "tools": [server("fusion")]}]}, "input[0].tools[0]"),
        ("chat", b'{"tools":[{"type":"openrouter\\u003afusion"}]}', "tools[0]"),
        ("chat", b'{"tools":[{"type":"\\u006Fpenrouter:new","parameters":{"\\u006dodel":"x"}}]}',
         "tools[0].parameters.model"),
        ("chat", {"tools": [server("web_search", max_results=3), server("datetime")]}, None),
        ("chat", {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"model": "x"}}}]}, None),
        ("responses", {"tools": [{"type": "function", "name": "f", "parameters": {"model": "x"}}]}, None),
        ("chat", {"plugins": [{"id": "web"}, {"id": "fusion", "model": "a/b"}]}, "plugins[1].model"),
        ("chat", {"plugins": [{"id": "auto-router", "allowed_models": ["a/*"]}]}, "plugins[0].allowed_models"),
        ("messages", {"plugins": [{"id": "fusion"}]}, "plugins[0]"),
        ("chat", {"plugins": [{"id": "fusion", "model": "a/b", "enabled": False}]}, None),
        ("chat", {"plugins": [{"id": "web", "engine": "exa"}, {"id": "file-parser", "pdf": {"engine": "x"}}, 7]}, None),
        ("chat", {"compound_custom": {"models": {"answering_model": "x"}}}, "compound_custom.models"),
        ("chat", {"compound_custom": {"tools": {"enabled_tools": ["web_search"]}}}, None),
        ("chat", {"tools": 7}, None),
        ("chat", {"plugins": 7, "compound_custom": 7}, None),
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


@pytest.mark.parametrize(("route", "name"), [("chat", "tools"), ("chat", "plugins"), ("responses", "input")])
def test_more_than_anybody_has(route: str, name: str) -> None:
    """Half a million of tools are refused before each becomes an object; commas in texts are not counted."""
    hint = b'["tools","model"'
    with pytest.raises(Fault) as caught:
        found(route, b'{"' + name.encode() + b'":' + hint + b",[]" * (MOST_VALUES + 1) + b"]}")
    assert (caught.value.code, caught.value.param) == ("invalid_value", name)
    assert found(route, b'{"' + name.encode() + b'":' + hint + b',"' + b"," * (MOST_VALUES + 1) + b'"]}') is None


@pytest.mark.parametrize("text", ['a\nb "c" C:\\users', "naïve – <b> & \U0001f600"])
def test_texts_are_not_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes that texts have anyway (Python writes `\\u00ef`, Go `\\u003c`) are no names: no item is looked at."""

    def never(raw: object, path: str) -> list[msgspec.Raw]:
        raise AssertionError(path)

    monkeypatch.setattr(look, "_items", never)
    item = json.dumps({"role": "user", "content": text}).replace("<", "\\u003c").replace("&", "\\u0026")
    body = f'{{"input":[{item}],"tools":[{{"description":{item}}}]}}'
    assert found("responses", body.encode()) is None


def test_looked_for_once() -> None:
    """A call asks twice where models are limited and a budget applies: what was found, or that there is nothing."""
    side = CLIENTS["chat"]
    request = side.read(b'{"model":"m","messages":[],"tools":[{"type":"openrouter:fusion"}]}', "", {})
    assert side.others(request) == "tools[0]"
    request.body.clear()
    assert side.others(request) == "tools[0]"
    request = side.read(b'{"model":"m","messages":[]}', "", {})
    assert side.others(request) is None
    request.body["models"] = msgspec.Raw(b'["a"]')
    assert side.others(request) is None
