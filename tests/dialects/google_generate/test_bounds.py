"""Limits and copies that a request states, and what nobody can put a bound on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from encke.dialects.body import top_level
from encke.dialects.google_generate.bounds import copies, output_limit, unbounded
from encke.dialects.request import Body

ASK: dict[str, Any] = {"contents": [{"parts": [{"text": "hi"}]}]}


def body(**fields: Any) -> Body:
    """A request's top level."""
    return top_level(msgspec.json.encode({**ASK, **fields}))


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({"maxOutputTokens": 16}, 16),
        ({"max_output_tokens": 16.0}, 16),
        ({"maxOutputTokens": "16"}, 16),
        ({"maxOutputTokens": 16, "max_output_tokens": 99}, 99),
        ({"maxOutputTokens": None}, None),
        ({"maxOutputTokens": True}, None),
        ({"maxOutputTokens": -1}, None),
        ({"maxOutputTokens": "x" * 99}, None),
        ({}, None),
        ([], None),
    ],
)
def test_limits(config: Any, limit: int | None) -> None:
    """As protobuf's JSON mapping takes numbers, by both spellings."""
    assert output_limit(body(generationConfig=config)) == limit
    assert output_limit(body(generation_config=config)) == limit


def test_copies() -> None:
    """One, unless more are asked for."""
    assert copies(body()) == 1
    assert copies(body(generationConfig={"candidateCount": 3})) == 3


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, None),
        ({"tools": [{"functionDeclarations": []}], "generationConfig": {"responseModalities": ["TEXT"]}}, None),
        ({"tools": {"function_declarations": []}}, None),
        ({"tools": [{"googleSearch": {}}]}, "googleSearch"),
        ({"tools": [{"functionDeclarations": []}, {"code_execution": {}}]}, "code_execution"),
        ({"tools": [{"urlContext": {}}]}, "urlContext"),
        ({"tools": "x"}, "tools"),
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"cached_content": "cachedContents/1"}, "cachedContent"),
        ({"contents": [{"parts": [{"inlineData": {}}]}]}, "inlineData"),
        ({"contents": [{"parts": [{"inline_data": {}}]}]}, "inline_data"),
        ({"contents": [{"parts": [{"file_data": {}}]}]}, "file_data"),
        ({"systemInstruction": {"parts": [{"fileData": {}}]}}, "fileData"),
        ({"generationConfig": {"responseModalities": ["IMAGE"]}}, "responseModalities"),
        ({"generationConfig": {"speechConfig": {"x": 1}}}, "speechConfig"),
        ({"generationConfig": {"candidateCount": "many"}}, "candidateCount"),
        ({"generationConfig": "x"}, "generationConfig"),
        ({"serviceTier": "priority"}, "serviceTier"),
        ({"serviceTier": "standard"}, None),
    ],
)
def test_what_nobody_can_bound(fields: dict[str, Any], name: str | None) -> None:
    """Media, files, caches, Google's own tools, other outputs."""
    assert unbounded(body(**fields)) == name


def test_an_escaped_key_is_found() -> None:
    """`\\u0066ileData` is fileData."""
    data = b'{"contents":[{"parts":[{"\\u0066ileData":{}}]}]}'
    assert unbounded(top_level(data)) == "fileData"
