"""Embeddings on this wire: callers' requests, providers' answers, and back."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.traits import PLAIN, Traits
from encke.core.usage import Usage
from encke.dialects.openai_chat.client import OpenAIClient
from encke.dialects.openai_chat.provider import EmbeddingsProvider

CLIENT = OpenAIClient("embeddings")
SIDE = EmbeddingsProvider()
ASKED = EmbedRequest(model="m", inputs=("a",))


def read(**fields: Any) -> EmbedRequest:
    """A request with these fields."""
    found = CLIENT.to_hub(CLIENT.read(json.dumps({"model": "m", **fields}).encode(), "", {}))
    assert isinstance(found, EmbedRequest)
    return found


@pytest.mark.parametrize(
    ("given", "inputs", "single"),
    [
        ("a", ("a",), True),
        (["a"], ("a",), False),
        (["a", "b"], ("a", "b"), False),
        ([1, 2], ((1, 2),), True),
        ([[1, 2], [3]], ((1, 2), (3,)), False),
        (["a", [3]], ("a", (3,)), False),
    ],
)
def test_inputs_in_all_forms_there_and_back(given: Any, inputs: Any, single: bool) -> None:
    """Texts and tokens, one or many; written again they are what they were."""
    found = read(input=given)
    assert (found.inputs, found.single) == (inputs, single)
    assert json.loads(SIDE.render(found, "up", PLAIN).body) == {"model": "up", "input": given}


def test_fields_there_and_back() -> None:
    """Dimensions, base64, the user, and what only some providers know; what nobody knows here is named."""
    found = read(input="a", dimensions=3, encoding_format="base64", user="u", truncate="END")
    assert found == EmbedRequest(
        model="m", inputs=("a",), dimensions=3, base64=True, single=True, user="u",
        extra={"openai_chat.truncate": b'"END"'},
    )  # fmt: skip
    made = SIDE.render(found, "up", PLAIN)
    assert made.dropped == () and json.loads(made.body) == {
        "model": "up", "input": "a", "dimensions": 3, "encoding_format": "base64", "user": "u", "truncate": "END",
    }  # fmt: skip
    made = SIDE.render(found, "up", Traits(extensions=("output_dimension",)))
    assert json.loads(made.body)["output_dimension"] == 3
    asked = EmbedRequest(model="m", inputs=("a",), purpose="query", title="t", extra={"google_generate.x": b"1"})
    assert SIDE.render(asked, "up", PLAIN).dropped == ("purpose", "title", "google_generate.x")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": []}, "invalid_value", "input"),
        ({"input": ["a", 5]}, "invalid_type", "input[1]"),
        ({"input": [1, "a"]}, "invalid_type", "input[1]"),
        ({"input": [None]}, "invalid_type", "input[0]"),
        ({"input": "a", "dimensions": 0}, "invalid_value", "dimensions"),
        ({"input": "a", "dimensions": "x"}, "invalid_type", "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "invalid_value", "encoding_format"),
        ({"input": "a", "user": 5}, "invalid_type", "user"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], code: str, param: str) -> None:
    """With its path."""
    with pytest.raises(Fault) as raised:
        read(**fields)
    assert (raised.value.code, raised.value.param) == (code, param)


def packed(*numbers: float) -> str:
    """As OpenAI packs them."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_answers_with_numbers_and_in_base64_in_the_order_of_their_indexes() -> None:
    """Whatever was asked for, either may come."""
    body = {
        "object": "list", "model": "up", "usage": {"prompt_tokens": 5, "total_tokens": 5},
        "data": [{"index": 1, "embedding": packed(0.5, -2.0)}, {"index": 0, "embedding": [1, 0.25]}],
    }  # fmt: skip
    reply = SIDE.read_reply(json.dumps(body).encode(), ASKED, "c")
    assert reply == EmbedReply(vectors=((1.0, 0.25), (0.5, -2.0)), model="up", usage=Usage(input=5))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "upstream_bad_response"),
        (b"{}", "upstream_bad_response"),
        (b'{"data":[{}]}', "upstream_bad_response"),
        (b'{"data":[{"embedding":"!"}]}', "upstream_bad_response"),
        (b'{"data":[{"embedding":"QUJD"}]}', "upstream_bad_response"),
        (b'{"data":[{"embedding":[null]}]}', "upstream_bad_response"),
        (b'{"error":{"message":"x","code":429}}', "upstream_rate_limited"),
    ],
)
def test_answers_that_are_none(body: bytes, code: str) -> None:
    """Faults, and nothing else."""
    with pytest.raises(Fault) as raised:
        SIDE.read_reply(body, ASKED, "c")
    assert raised.value.code == code


def test_an_answer_for_a_caller() -> None:
    """Numbers, or base64 where it was asked for; usage."""
    reply = EmbedReply(vectors=((1.0, 0.5), (-2.0, 0.0)), usage=Usage(input=4))
    request = CLIENT.read(b'{"model":"m","input":["a","b"]}', "", {})
    assert json.loads(CLIENT.render_reply(reply, request, "c", 0)) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.5]},
            {"object": "embedding", "index": 1, "embedding": [-2.0, 0.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    request = CLIENT.read(b'{"model":"m","input":["a","b"],"encoding_format":"base64"}', "", {})
    made = json.loads(CLIENT.render_reply(reply, request, "c", 0))
    assert [one["embedding"] for one in made["data"]] == [packed(1.0, 0.5), packed(-2.0, 0.0)]
    with pytest.raises(Fault, match="float32"):
        CLIENT.render_reply(EmbedReply(vectors=((1e300,),)), request, "c", 0)


@pytest.mark.parametrize(
    ("said", "purpose", "extra"),
    [
        ("query", "query", {}),
        ("search_query", "query", {}),
        ("passage", "document", {}),
        ("clustering", "clustering", {}),
        ("image", "", {"openai_chat.input_type": b'"image"'}),
        (None, "", {}),
    ],
)
def test_what_the_vectors_are_for(said: str | None, purpose: str, extra: dict[str, bytes]) -> None:
    """In the words of those who have it, for every provider who has one; another word goes to who knows it."""
    made = read(input="a", input_type=said)
    assert (made.purpose, made.extra) == (purpose, extra)
