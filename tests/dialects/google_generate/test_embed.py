"""Embeddings on this wire, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.google_generate.embed import (
    read_batch,
    read_embed,
    read_embed_reply,
    render_batch,
    render_embed,
    render_embed_reply,
)
from encke.dialects.google_generate.parse import parse_request


def content(text: str) -> dict[str, Any]:
    """A content."""
    return {"parts": [{"text": text}]}


def asked(body: dict[str, Any]) -> EmbedRequest:
    """A request for one vector."""
    return read_embed(parse_request("embed_content", json.dumps(body).encode(), "m:embedContent"))


def batch(*requests: dict[str, Any]) -> EmbedRequest:
    """A request for several."""
    data = json.dumps({"requests": list(requests)}).encode()
    return read_batch(parse_request("batch_embed", data, "m:batchEmbedContents"))


def test_one() -> None:
    """Its parts are one text; task, title and dimensions in either spelling; what is new is kept."""
    body = {
        "model": "models/m", "content": {"parts": [{"text": "a"}, {"text": "b"}], "role": "user"},
        "task_type": "RETRIEVAL_DOCUMENT", "title": "T", "output_dimensionality": 3, "autoTruncate": True,
    }  # fmt: skip
    assert asked(body) == EmbedRequest(
        model="m", inputs=("ab",), dimensions=3, single=True, purpose="document", title="T",
        extra={"google_generate.autoTruncate": b"true"},
    )  # fmt: skip
    own = asked({"content": content("a"), "taskType": "QUESTION_ANSWERING"})
    assert own.purpose == "" and own.extra == {"google_generate.taskType": b'"QUESTION_ANSWERING"'}


def test_several() -> None:
    """Have one task, title and dimensions."""
    found = batch({"content": content("a"), "taskType": 3}, {"content": content("b"), "taskType": 3})
    assert found.inputs == ("a", "b") and found.purpose == "similarity" and not found.single
    with pytest.raises(Fault, match="differs") as caught:
        batch({"content": content("a")}, {"content": content("b"), "outputDimensionality": 3})
    assert caught.value.param == "requests[1]"


@pytest.mark.parametrize(
    "request_", [{}, {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}}, {"content": 7}]
)
def test_what_is_refused(request_: dict[str, Any]) -> None:
    """No content, and content that is no text."""
    with pytest.raises(Fault) as caught:
        batch(request_)
    assert caught.value.param is not None and caught.value.param.startswith("requests[0].content")
    with pytest.raises(Fault):
        batch()


def test_requests_for_google() -> None:
    """Each names the model once more; what a caller of this dialect has asked for comes back."""
    request = EmbedRequest(
        model="m", inputs=("a", "b"), dimensions=3, purpose="query", title="T", user="u",
        extra={"google_generate.autoTruncate": b"true", "openai_chat.x": b"1"},
    )  # fmt: skip
    rendered = render_batch(request, "real")
    assert rendered.dropped == ("user", "title", "openai_chat.x")
    one = {"model": "models/real", "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 3, "autoTruncate": True}
    assert json.loads(rendered.body) == {"requests": [{**one, "content": content(text)} for text in ("a", "b")]}
    single = EmbedRequest(model="m", inputs=("a",), single=True, purpose="document", title="T")
    rendered = render_embed(single, "real")
    assert not rendered.dropped and asked(json.loads(rendered.body)) == single


@pytest.mark.parametrize("inputs", [("a", "b"), ((1, 2),)])
def test_what_google_cannot_be_asked(inputs: tuple[Any, ...]) -> None:
    """Several where it gives one, and tokens."""
    with pytest.raises(Fault) as caught:
        render_embed(EmbedRequest(model="m", inputs=inputs), "m")
    assert caught.value.code == "unsupported_parameter"


@pytest.mark.parametrize("batch", [False, True])
def test_answers(batch: bool) -> None:
    """Vectors and usage, there and back."""
    reply = EmbedReply(vectors=((0.5, 1.0),), usage=Usage(input=3))
    data = render_embed_reply(reply, batch=batch)
    assert ("embeddings" in json.loads(data)) is batch
    assert read_embed_reply(data, EmbedRequest(model="m", inputs=("a",))) == reply


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", "upstream_bad_response"),
        (b'{"embedding":{"values":["x"]}}', "upstream_bad_response"),
        (b'{"embeddings":[{"values":[1]},{"values":[1]}]}', "upstream_bad_response"),
        (b'{"error":{"code":503}}', "overloaded"),
    ],
)
def test_bad_answers(data: bytes, code: str) -> None:
    """Not one vector for each input, wrong types, and an error inside."""
    with pytest.raises(Fault) as caught:
        read_embed_reply(data, EmbedRequest(model="m", inputs=("a",)))
    assert caught.value.code == code
