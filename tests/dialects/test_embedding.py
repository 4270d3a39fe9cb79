"""Embeddings of providers that are not OpenAI: what is asked for, what comes back, and what is lost."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.embed import EmbedReply, EmbedRequest, Purpose
from encke.core.faults import Fault
from encke.core.traits import PLAIN
from encke.core.usage import Usage
from encke.dialects.embedding import floats
from encke.dialects.port import EMBED
from encke.dialects.table import PROVIDERS
from tests.dialects.collected import exchanges

OPS = ("cohere_embed", "ollama_embed", "voyage_embed", "mistral_embed")
FILES = {
    "cohere_embed": "cohere.cohere-embed",
    "ollama_embed": "ollama.ollama-embed",
    "voyage_embed": "voyage.voyage-embeddings",
    "mistral_embed": "mistral.mistral-embeddings",
}


def render(op: str, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = EmbedRequest(**{"model": "x", "inputs": ("a", "b"), **fields})
    rendered = PROVIDERS[op].render(request, "m", PLAIN)
    return json.loads(rendered.body), rendered.dropped


def read(op: str, body: Any, inputs: int = 1) -> EmbedReply:
    request = EmbedRequest(model="x", inputs=("a",) * inputs)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = PROVIDERS[op].read_reply(data, request, "0-1")
    assert isinstance(reply, EmbedReply)
    return reply


def packed(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


# The answer of each wire that has these vectors, and counts so many tokens.
ANSWERS: dict[str, Callable[[list[list[float]], int], dict[str, Any]]] = {
    "cohere_embed": lambda vectors, tokens: {
        "embeddings": {"float": vectors},
        "meta": {"billed_units": {"input_tokens": tokens}},
    },
    "ollama_embed": lambda vectors, tokens: {"model": "m", "embeddings": vectors, "prompt_eval_count": tokens},
    "voyage_embed": lambda vectors, tokens: {
        "data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)],
        "usage": {"total_tokens": tokens},
    },
    "mistral_embed": lambda vectors, tokens: {
        "data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0},
    },
}


def recorded(op: str, answer: dict[str, Any]) -> tuple[list[list[float]], int]:
    """What a recorded answer says, read without the gateway's code."""
    if op == "cohere_embed":
        return answer["embeddings"]["float"], answer["meta"]["billed_units"]["input_tokens"]
    if op == "ollama_embed":
        return answer["embeddings"], answer["prompt_eval_count"]
    vectors = []
    for item in answer["data"]:
        one = item["embedding"]
        if isinstance(one, str):
            raw = base64.b64decode(one)
            one = list(struct.unpack(f"<{len(raw) // 4}f", raw))
        vectors.append(one)
    return vectors, answer["usage"].get("prompt_tokens", answer["usage"]["total_tokens"])


@pytest.mark.parametrize("op", OPS)
def test_recorded_answers_say_what_they_say(op: str) -> None:
    """Every number of every vector, and usage, whole and in base64."""
    seen = 0
    for exchange in exchanges(FILES[op]):
        answer = json.loads(exchange.body)
        if exchange.status != 200:
            fault = PROVIDERS[op].read_fault(exchange.status, exchange.body.encode(), None)
            assert (fault.code, fault.status) == ("upstream_invalid_request", exchange.status)
            continue
        if op == "cohere_embed" and "float" not in answer["embeddings"]:
            continue  # int8, which is never asked for
        seen += 1
        vectors, tokens = recorded(op, answer)
        reply = read(op, exchange.body.encode(), len(vectors))
        assert [list(vector) for vector in reply.vectors] == vectors and reply.usage == Usage(input=tokens)
        assert reply.model == answer.get("model", "")
    assert seen >= 7


@pytest.mark.parametrize("op", OPS)
def test_what_is_asked_for_is_what_clients_of_it_ask_for(op: str) -> None:
    """Fields of recorded requests, and of the provider's own library."""
    known = {"output_dimension", "dimensions", "truncation", "keep_alive", "options", "truncate", "encoding_format"}
    for exchange in exchanges(FILES[op]):
        known.update(exchange.request or ())
    body, dropped = render(op, dimensions=512, purpose="" if op in ("ollama_embed", "mistral_embed") else "query")
    assert set(body) <= known and dropped == () and body["model"] == "m"
    assert body.get("input", body.get("texts")) == ["a", "b"]
    assert body.get("output_dimension", body.get("dimensions")) == 512


@pytest.mark.parametrize(
    ("op", "purpose", "said"),
    [
        ("cohere_embed", "", "search_document"),
        ("cohere_embed", "query", "search_query"),
        ("cohere_embed", "document", "search_document"),
        ("cohere_embed", "classification", "classification"),
        ("cohere_embed", "clustering", "clustering"),
        ("voyage_embed", "", None),
        ("voyage_embed", "query", "query"),
        ("voyage_embed", "document", "document"),
    ],
)
def test_what_the_vectors_are_for(op: str, purpose: Purpose, said: str | None) -> None:
    """In the provider's word for it."""
    body, dropped = render(op, purpose=purpose)
    assert body.get("input_type") == said and dropped == ()


@pytest.mark.parametrize(
    ("op", "purpose"),
    [
        ("cohere_embed", "similarity"),
        ("voyage_embed", "clustering"),
        ("ollama_embed", "query"),
        ("mistral_embed", "query"),
    ],
)
def test_a_purpose_without_a_word_is_named_as_lost(op: str, purpose: Purpose) -> None:
    """As is the rest that these wires cannot say."""
    _, dropped = render(op, purpose=purpose, title="T", user="u", extra={"service_tier": b'"flex"'})
    assert dropped == ("purpose", "title", "user", "service_tier")


@pytest.mark.parametrize(
    ("op", "extra", "said"),
    [
        (
            "cohere_embed",
            {"input_type": b'"query"', "truncate": b'"END"'},
            {"input_type": "search_query", "truncate": "END"},
        ),
        ("cohere_embed", {"cohere_chat.input_type": b'"clustering"'}, {"input_type": "clustering"}),
        (
            "voyage_embed",
            {"input_type": b'"query"', "truncation": b"false"},
            {"input_type": "query", "truncation": False},
        ),
        (
            "ollama_embed",
            {"keep_alive": b"0", "options": b'{"num_ctx":9}'},
            {"keep_alive": 0, "options": {"num_ctx": 9}},
        ),
        ("mistral_embed", {"metadata": b'{"a":"b"}'}, {"metadata": {"a": "b"}}),
    ],
)
def test_a_providers_own_fields_pass(op: str, extra: dict[str, bytes], said: dict[str, Any]) -> None:
    """Over what the gateway would have said."""
    body, dropped = render(op, extra=extra)
    assert {name: body[name] for name in said} == said and dropped == ()


@pytest.mark.parametrize("op", OPS)
def test_tokens_are_refused_clearly(op: str) -> None:
    """Before anything is sent; another target may take them."""
    for inputs in (((1, 2),), ("a", (1, 2))):
        with pytest.raises(Fault) as raised:
            render(op, inputs=inputs)
        fault = raised.value
        assert (fault.code, fault.param, fault.verdict) == ("unsupported_parameter", "input", "next")


@pytest.mark.parametrize("op", OPS)
def test_vectors_in_the_order_of_the_inputs(op: str) -> None:
    """Also where upstream has mixed them; whole numbers are floats too."""
    vectors = [[0.5, -1.0], [3, 0.25], [7.0, 8.0]]
    answer = ANSWERS[op](vectors, 9)
    if "data" in answer:
        answer["data"] = answer["data"][::-1]
    reply = read(op, answer, 3)
    assert reply.vectors == ((0.5, -1.0), (3.0, 0.25), (7.0, 8.0)) and reply.usage == Usage(input=9)
    assert all(isinstance(number, float) for vector in reply.vectors for number in vector)


@pytest.mark.parametrize("op", ["voyage_embed", "mistral_embed"])
def test_base64_is_asked_for_where_the_caller_wants_it(op: str) -> None:
    """So that the caller gets the very bits that upstream sent."""
    assert render(op, base64=True)[0]["encoding_format"] == "base64"
    numbers = [0.1, -2.5e-8, 3.0e38]
    answer = {"data": [{"embedding": packed(numbers)}], "usage": {"total_tokens": 1}}
    vector = read(op, answer).vectors[0]
    assert packed(list(vector)) == packed(numbers)


@pytest.mark.parametrize("text", ["?", "QQ=", "QUJD", packed([1.0, float("inf")]), packed([float("nan"), 0.0])])
def test_base64_of_something_else(text: str) -> None:
    """Not base64 at all, not whole floats, or none that JSON can tell."""
    with pytest.raises(Fault, match="upstream_bad_response"):
        floats(text)


@pytest.mark.parametrize("op", OPS)
def test_too_few_or_empty_vectors_are_no_answer(op: str) -> None:
    """Nobody gets fewer vectors than texts, nor one without numbers."""
    cases: list[tuple[list[list[float]], int]] = [([[1.0]], 2), ([[1.0], [2.0]], 1), ([[]], 1), ([], 1)]
    for vectors, inputs in cases:
        with pytest.raises(Fault, match="upstream_bad_response"):
            read(op, ANSWERS[op](vectors, 1), inputs)


@pytest.mark.parametrize("op", OPS)
def test_usage_that_is_not_told_or_not_believed_is_none(op: str) -> None:
    """Absent, negative, out of all bounds."""
    for tokens in (-1, 1 << 40):
        assert read(op, ANSWERS[op]([[1.0]], tokens)).usage is None
    answer = ANSWERS[op]([[1.0]], 1)
    for name in ("meta", "usage", "prompt_eval_count"):
        answer.pop(name, None)
    assert read(op, answer).usage is None


_NAMES = ["embeddings", "float", "data", "embedding", "index", "usage", "meta", "billed_units", "input_tokens", "model"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(_VALUES)
def test_wrong_types_are_faults(value: Any) -> None:
    """Whatever JSON comes."""
    for op in OPS:
        try:
            read(op, value)
        except Fault as fault:
            assert fault.code == "upstream_bad_response"
        for body in (value, {"embeddings": value}, {"data": value}, {"error": value}):
            PROVIDERS[op].read_fault(400, json.dumps(body).encode(), None)


def test_they_are_embeddings() -> None:
    """And nothing else; a body of theirs holds no text."""
    assert {PROVIDERS[op].kind for op in OPS} == {EMBED}
    assert {PROVIDERS[op].content_bytes(b'{"text":"abc"}') for op in OPS} == {0}
