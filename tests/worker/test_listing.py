"""Lists of models, read: every shape, a page at a time, and what is none."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.worker.listing import Listed, Page, next_request, read_page

GET = b"GET /v1/models?limit=1000 HTTP/1.1\r\nhost: h.example\r\n\r\n"
MAY = "2026-05-28T00:00:00Z"


@pytest.mark.parametrize(
    ("listed", "page"),
    [
        ({"object": "list", "data": [{"id": "m", "created": 5}, {"id": 7}, {"id": ""}, {"x": 1}]},
         Page([Listed("m", 5)])),
        ([{"id": "models/m", "context_length": 9, "max_completion_tokens": 3}],
         Page([Listed("models/m", 0, "", 9, 3)])),
        ({"data": [{"type": "model", "id": "c", "display_name": "C", "created_at": MAY, "max_input_tokens": 10,
                    "max_tokens": 4}], "has_more": True, "last_id": "c"},
         Page([Listed("c", 1_779_926_400, "C", 10, 4)], ("after_id", "c"))),
        ({"data": [{"id": "c", "created_at": "soon"}], "has_more": False, "last_id": "c"}, Page([Listed("c")])),
        ({"models": [{"name": "models/g", "displayName": "G", "inputTokenLimit": 10, "outputTokenLimit": 4},
                     {"name": "tunedModels/t"}], "nextPageToken": "a b"},
         Page([Listed("g", 0, "G", 10, 4), Listed("tunedModels/t")], ("pageToken", "a b"))),
        ({"models": [{"name": "command", "context_length": 8, "endpoints": ["chat"]}], "next_page_token": "t"},
         Page([Listed("command", 0, "", 8)], ("page_token", "t"))),
        ({"models": [{"name": "qwen3:0.6b", "model": "qwen3:0.6b", "modified_at": MAY, "size": 1}]},
         Page([Listed("qwen3:0.6b")])),
        ({"data": []}, Page([])),
    ],
)  # fmt: skip
def test_shapes(listed: object, page: Page) -> None:
    """OpenAI's, the bare list, Anthropic's, Google's, Cohere's, Ollama's."""
    assert read_page(json.dumps(listed).encode()) == page


@pytest.mark.parametrize("body", [b"", b"{}", b'"x"', b"[1]", b'{"data": 1}', b'{"models": null}', b"\xff"])
def test_what_is_no_list(body: bytes) -> None:
    """Is told as such."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read_page(body)


KEYS = st.sampled_from(
    ("id", "name", "data", "models", "created", "created_at", "has_more", "last_id", "nextPageToken")
)
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(st.recursive(VALUES, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one, max_size=4)))
def test_nothing_else_comes_out(value: object) -> None:
    """Whatever a provider sends: a page, or no list."""
    try:
        page = read_page(json.dumps(value).encode())
    except msgspec.DecodeError:
        return
    assert all(one.id and isinstance(one.created, int) for one in page.models)


def test_the_page_behind() -> None:
    """The parameter is added, encoded, to what was asked."""
    assert next_request(GET, ("after_id", "a/b&c")).startswith(
        b"GET /v1/models?limit=1000&after_id=a%2Fb%26c HTTP/1.1\r\n"
    )
    assert next_request(GET.replace(b"?limit=1000", b""), ("page_token", "t")).startswith(
        b"GET /v1/models?page_token=t HTTP/1.1\r\nhost: h.example\r\n"
    )
