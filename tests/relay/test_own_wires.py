"""Providers with a wire that no caller speaks, through the real gateway: Cohere, Ollama, Voyage, Mistral."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from encke.testing import wire
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from encke.testing.wires.side import vector
from tests.relay.conftest import Start, provider
from tests.support.gateway import Gateway

BASES = {"cohere": "v2", "ollama-native": "api", "mistral": "mistral/v1", "voyage": "voyage/v1"}
CHATS = ("cohere", "ollama-native")
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """One with all of them."""
    return start(
        {"providers": {name: provider(upstream.url, base_url=f"{upstream.url}/{base}") for name, base in BASES.items()}}
    )


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as made:
        yield made


def behave(**options: Any) -> Any:
    return [{"role": "user", "content": f"behave: {json.dumps(options)}"}]


@pytest.mark.parametrize("name", CHATS)
def test_answers(client: openai.OpenAI, name: str) -> None:
    """Thoughts, text, calls with their arguments, the end and usage, whole and streamed."""
    calls = [{"name": "weather", "arguments": {"city": city}} for city in ("Rome", "Oslo")]
    given: Any = {
        "model": f"{name}/fake",
        "messages": behave(thinking="Hm.", content="Wait", chunks=2, calls=calls, prompt_tokens=10),
        "tools": TOOLS,
    }
    whole = client.chat.completions.create(**given)
    with client.chat.completions.stream(**given, stream_options={"include_usage": True}) as stream:
        streamed = stream.get_final_completion()
    for made in (whole, streamed):
        (choice,) = made.choices
        assert choice.finish_reason == "tool_calls" and (choice.message.content or "").startswith("Wait")
        assert (choice.message.model_extra or {})["reasoning_content"] == "Hm."
        found = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
        assert found == [("weather", {"city": "Rome"}), ("weather", {"city": "Oslo"})]
        assert len({call.id for call in choice.message.tool_calls or ()}) == 2
        assert made.usage is not None and made.usage.prompt_tokens == 10 and made.usage.completion_tokens > 0


@pytest.mark.parametrize("name", CHATS)
def test_what_was_asked_and_what_was_left_out(client: openai.OpenAI, upstream: FakeUpstream, name: str) -> None:
    """Upstream gets its own names; the caller is told what it could not be asked."""
    seen = len(upstream.statement.calls())
    extra = {"keep_alive": "1m", "options": {"num_ctx": 99}} if name != "cohere" else {"safety_mode": "OFF"}
    answer = client.chat.completions.with_raw_response.create(
        model=f"{name}/fake",
        messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        max_tokens=7,
        top_p=0.5,
        user="u",
        extra_body=extra,
    )
    assert set((answer.headers.get("x-encke-dropped") or "").split(", ")) == {"user"}
    asked = json.loads(upstream.statement.calls()[seen].body)
    assert [one["role"] for one in asked["messages"]] == ["system", "user"] and not asked["stream"]
    if name == "cohere":
        assert (asked["max_tokens"], asked["p"], asked["safety_mode"]) == (7, 0.5, "OFF")
    else:
        assert asked["options"] == {"num_ctx": 99, "num_predict": 7, "top_p": 0.5} and asked["keep_alive"] == "1m"


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("fault", ["error_in_stream", "reset_mid_stream", "fin_mid_stream"])
def test_streams_that_break(client: openai.OpenAI, name: str, fault: str) -> None:
    """What came stays, and an error comes after it; never an end that upstream did not tell."""
    text, finishes = "", []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=f"{name}/fake", messages=behave(name=fault), stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finishes.append(choice.finish_reason)
    assert text and not any(finishes)
    assert raised.value.code == ("upstream_error" if fault == "error_in_stream" else "upstream_reset")


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize(
    ("status", "told", "code"),
    [("400", 400, None), ("401", 502, "upstream_auth"), ("429", 429, "upstream_rate_limited")],
)
def test_refusals(client: openai.OpenAI, name: str, status: str, told: int, code: str | None) -> None:
    """The caller's mistakes as upstream says them; the gateway's bad key and the provider's limits as what they are."""
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model=f"{name}/fake", messages=behave(name=status))
    assert (raised.value.status_code, raised.value.code) == (told, code)


@pytest.mark.parametrize("name", BASES)
def test_vectors(client: openai.OpenAI, name: str) -> None:
    """Bit by bit what upstream has made, as numbers and in base64, which the client asks for by itself."""
    texts = ["one", "and two"]
    packed = client.embeddings.create(model=f"{name}/fake", input=texts)
    plain = client.embeddings.create(model=f"{name}/fake", input=texts, encoding_format="float")
    for made in (packed, plain):
        assert [item.embedding for item in made.data] == [vector(text) for text in texts]
        assert made.usage.prompt_tokens == 3
    single = client.embeddings.create(model=f"{name}/fake", input="one")
    assert single.data[0].embedding == vector("one")


@pytest.mark.parametrize("name", BASES)
def test_tokens_are_refused_before_anything_is_sent(client: openai.OpenAI, upstream: FakeUpstream, name: str) -> None:
    """None of these providers takes them."""
    seen = len(upstream.statement.calls())
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=f"{name}/fake", input=[1, 2, 3])
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", "input")
    assert len(upstream.statement.calls()) == seen


@pytest.mark.parametrize("name", BASES)
def test_what_the_vectors_are_for(client: openai.OpenAI, upstream: FakeUpstream, name: str) -> None:
    """In the provider's word; who has none is not asked, and the caller is told by the name that it used."""
    seen = len(upstream.statement.calls())
    made = client.embeddings.with_raw_response.create(
        model=f"{name}/fake", input="a", extra_body={"input_type": "query"}
    )
    asked = json.loads(upstream.statement.calls()[seen].body)
    said = {"cohere": "search_query", "voyage": "query"}.get(name)
    assert asked.get("input_type") == said
    assert made.headers.get("x-encke-dropped") == (None if said else "input_type")


def test_vectors_without_usage_are_counted_by_their_texts(start: Start) -> None:
    """A provider that tells no usage: the estimate is of what was to be embedded, not of the JSON around it, and the
    caller is told the same."""

    def answer(request: Request) -> Script:
        vectors = [{"values": [0.5, 1.0]} for _ in json.loads(request.body)["requests"]]
        return Script([Send(wire.json_response(200, {"embeddings": vectors}))], "vectors")

    with FakeUpstream(answer) as upstream:
        gateway = start({"providers": {"google": provider(upstream.url, base_url=f"{upstream.url}/v1beta")}})
        with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as client:
            made = client.embeddings.create(model="google/fake", input=["hello!"] * 5)
    assert made.usage.prompt_tokens == made.usage.total_tokens == 10
