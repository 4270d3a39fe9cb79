"""What bounds an answer, and what nobody can put a bound on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.request import Request

SIDE = ResponsesClient()


def request(**fields: Any) -> Request:
    return SIDE.read(json.dumps({"model": "m", "input": "x", **fields}).encode(), "", {})


@pytest.mark.parametrize(("given", "limit"), [(16, 16), (None, None), ("16", None), (-1, None), (0, None)])
def test_the_limit(given: Any, limit: int | None) -> None:
    """`max_output_tokens`, where it is a number that means something."""
    assert SIDE.output_limit(request(max_output_tokens=given)) == limit
    assert SIDE.output_limit(request()) is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"reasoning": {"mode": "pro"}}, "reasoning"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "mcp"}]}, "mcp"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "item_reference"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input_image"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input_file"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "compaction"),
    ],
)
def test_what_has_no_bound(fields: dict[str, Any], name: str) -> None:
    """What is kept elsewhere, fetched, run by the provider or dearer is named."""
    assert SIDE.unbounded(request(**fields)) == name


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"background": False, "previous_response_id": None, "service_tier": "auto", "store": True},
        {"reasoning": {"effort": "high", "mode": "standard"}},
        {"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]},
        {
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}], "encrypted_content": "x"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"type":"image"}'},
                {"type": "function_call_output", "call_id": "c", "output": '{"type":"image"}'},
            ]
        },
    ],
)
def test_what_has_a_bound(fields: dict[str, Any]) -> None:
    """Texts, calls and their results, and what stands in them, cost no more than their bytes."""
    assert SIDE.unbounded(request(**fields)) is None
