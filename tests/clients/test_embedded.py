"""Real clients and the real model that ships with the gateway."""

from __future__ import annotations

import json

import cometapi
import openai
import pytest
from pydantic import BaseModel

from tests.clients.site import QUESTION, Site
from tests.clients.test_curl import chat

pytestmark = pytest.mark.model


class City(BaseModel):
    """What is asked for with a JSON schema."""

    city: str
    country: str


@pytest.mark.parametrize("kind", [openai.OpenAI, cometapi.CometAPI], ids=["openai", "cometapi"])
def test_the_python_clients(home: Site, kind: type[openai.OpenAI]) -> None:
    """A right answer, whole and streamed, with usage; the model is in the list."""
    with kind(base_url=home.base_url, api_key=home.key) as client:
        made = client.chat.completions.create(model=home.model, messages=QUESTION, temperature=0)
        assert home.is_answer(made.choices[0].message.content)
        assert made.usage is not None and made.usage.prompt_tokens > 5 and made.usage.completion_tokens > 0
        stream = client.chat.completions.create(model=home.model, messages=QUESTION, temperature=0, stream=True)
        chunks = list(stream)
        assert home.is_answer("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert [model.id for model in client.models.list()] == ["local"]
        assert client.models.retrieve("local").id == "local"


def test_an_object_by_schema(home: Site) -> None:
    """`parse` gets an object of the class that it asked for."""
    messages = [{"role": "user", "content": "Name the capital of France and its country, as JSON."}]
    with openai.OpenAI(base_url=home.base_url, api_key=home.key) as client:
        made = client.chat.completions.parse(
            model=home.model,
            messages=messages,  # type: ignore[arg-type]
            response_format=City,
            temperature=0,
        )
    parsed = made.choices[0].message.parsed
    assert parsed is not None and "paris" in parsed.city.lower()


def test_json_mode(home: Site) -> None:
    """With json_object the content is JSON."""
    with openai.OpenAI(base_url=home.base_url, api_key=home.key) as client:
        made = client.chat.completions.create(
            model=home.model,
            messages=[{"role": "user", "content": 'Answer as JSON {"capital": ...}: the capital of France?'}],
            response_format={"type": "json_object"},
            max_tokens=60,
            temperature=0,
        )
    assert isinstance(json.loads(made.choices[0].message.content or ""), dict)


def test_curl(home: Site) -> None:
    """The same with curl; the stream ends with `[DONE]`."""
    assert home.is_answer(json.loads(chat(home, temperature=0))["choices"][0]["message"]["content"])
    lines = [line for line in chat(home, "-N", stream=True, temperature=0).splitlines() if line]
    assert lines[-1] == "data: [DONE]"


def test_vectors(home: Site) -> None:
    """The client asks for base64 unless told otherwise: the numbers are the same as in plain JSON."""
    texts = ["The cat sits on the mat.", "A kitten is resting on the rug.", "Stock markets fell sharply today."]
    with openai.OpenAI(base_url=home.base_url, api_key=home.key) as client:
        made = client.embeddings.create(model=home.model, input=texts)
        plain = client.embeddings.create(model=home.model, input=texts[0], encoding_format="float")
    cat, kitten, stocks = (item.embedding for item in made.data)
    assert made.usage.prompt_tokens > 10
    assert sum(a * b for a, b in zip(cat, kitten, strict=True)) > sum(a * b for a, b in zip(cat, stocks, strict=True))
    assert sum(a * b for a, b in zip(cat, plain.data[0].embedding, strict=True)) > 0.999
