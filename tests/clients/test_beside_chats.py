"""Embeddings, counts, lists of models and refusals of the gateway's own, in every maker's client for Python."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors

from encke.testing.wires.side import vector
from tests.clients.site import Site
from tests.clients.talkers import TALKERS, Chat, Gemini, Messages
from tests.clients.wires import WIRES

EMBEDDERS = ("chat", "gemini", "mistral", "cohere", "voyage", "ollama")
COUNTERS = ("messages", "gemini")  # wires that count tokens; the others' are estimated


@pytest.fixture(scope="module", params=TALKERS)
def talker(request: pytest.FixtureRequest, many: Site) -> Chat:
    """A client."""
    return TALKERS[request.param](many.root, many.key)


@pytest.mark.parametrize("wire", EMBEDDERS)
def test_embeddings(many: Site, wire: str) -> None:
    """Vectors of several texts, in their order, as base64 (which the client asks for) and as numbers."""
    with openai.OpenAI(base_url=many.base_url, api_key=many.key, max_retries=0) as client:
        for more in ({}, {"encoding_format": "float"}):
            given: Any = {"model": f"{wire}/fake", "input": ["a b", "c"], **more}
            made = client.embeddings.create(**given)
            assert [one.embedding for one in made.data] == [pytest.approx(vector(text)) for text in ("a b", "c")]
            # Gemini's API does not tell how many tokens it has read.
            assert made.usage.prompt_tokens == 3 or wire == "gemini"


@pytest.mark.parametrize("wire", EMBEDDERS)
def test_embeddings_by_gemini(many: Site, wire: str) -> None:
    """The same through Google's client."""
    client: Any = Gemini(many.root, many.key).client
    made = client.models.embed_content(model=f"{wire}/fake", contents=["a b", "c"])
    assert [one.values for one in made.embeddings] == [pytest.approx(vector(text)) for text in ("a b", "c")]


@pytest.mark.parametrize("wire", WIRES)
def test_counting_tokens(many: Site, wire: str) -> None:
    """Every model can be counted for; where its provider cannot count, by estimate."""
    text = "What is the capital of France? " * 20
    claude, gemini = Messages(many.root, many.key), Gemini(many.root, many.key)
    before = len(many.fake.statement.calls())
    made = claude.client.messages.count_tokens(model=f"{wire}/fake", messages=[{"role": "user", "content": text}])
    assert 100 < made.input_tokens < 1000
    counted = gemini.client.models.count_tokens(model=f"{wire}/fake", contents=text)
    assert 100 < counted.total_tokens < 1000
    assert len(many.fake.statement.calls()) - before == (2 if wire in COUNTERS else 0)


def test_models(many: Site) -> None:
    """Each client lists the models in its own shape."""
    expected = {f"{wire}/fake" for wire in WIRES}
    with openai.OpenAI(base_url=many.base_url, api_key=many.key) as chat:
        assert expected <= {model.id for model in chat.models.list()}
    with anthropic.Anthropic(base_url=many.root, api_key=many.key) as messages:
        assert expected <= {model.id for model in messages.models.list(limit=1000)}
        assert messages.models.retrieve("cohere/fake").id == "cohere/fake"
    gemini = genai.Client(api_key=many.key, http_options={"base_url": many.root})
    assert {f"models/{name}" for name in expected} <= {str(model.name) for model in gemini.models.list()}
    assert gemini.models.get(model="cohere/fake").name == "models/cohere/fake"


def test_the_gateways_own_refusals(many: Site, talker: Chat) -> None:
    """A wrong key and an unknown model are errors of the client's own classes."""
    stranger = type(talker)(many.root, "sk-wrong")
    with pytest.raises(talker.wrong_key) as caught:
        stranger.ask("chat/fake", stranger.user("Hi"))
    assert getattr(caught.value, "status_code", 401) == 401 or isinstance(caught.value, errors.APIError)
    with pytest.raises(talker.unknown) as caught:
        talker.ask("no/such", talker.user("Hi"))
    assert "no/such" in str(caught.value)
