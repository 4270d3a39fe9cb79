"""Heads of requests: to the path, with the key and the headers that a provider wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from encke.config.secret import Secret
from encke.config.settings import Config, ProviderSettings
from encke.core.faults import Fault
from encke.dialects.table import DIALECT_OPS
from encke.providers.heads import collections, heads, heads_of, list_requests
from encke.providers.presets import read_presets
from encke.providers.provider import Provider
from encke.providers.resolve import resolve

PRESETS = read_presets()


def known(name: str, **settings: object) -> Provider:
    """A known provider with a key and settings."""
    table = ProviderSettings(api_key=Secret("k-1"), **settings)  # type: ignore[arg-type]
    config = Config(data_dir=Path("/nowhere"), providers={name: table})
    return resolve(config, PRESETS, {}, DIALECT_OPS)[name]


def of_model(provider: Provider, model: str) -> Mapping[str, bytes]:
    """Its heads for one model."""
    make = heads_of(provider, provider.credentials[0])
    assert make is not None
    return make(model)


def line(head: bytes) -> str:
    """Its first line without the version."""
    return head.partition(b" HTTP/1.1")[0].decode()


def fields(head: bytes) -> dict[str, str]:
    """Its header fields; each stands there once."""
    pairs = [row.partition(": ")[::2] for row in head.decode().split("\r\n")[1:] if row]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_the_order_is_the_provider_s() -> None:
    """What comes first is what others are translated into; lists of models are no operation of calls."""
    assert list(heads(known("openai"), None)) == ["chat", "responses", "completions", "embeddings", "moderations"]


def test_a_native_address() -> None:
    """The key in its own header, the version beside it, and nothing in `authorization`."""
    provider = known("anthropic")
    found = heads(provider, provider.credentials[0])
    assert {op: line(head) for op, head in found.items()} == {
        "messages": "POST /v1/messages",
        "count_tokens": "POST /v1/messages/count_tokens",
    }
    for head in (*found.values(), *list_requests(provider)):
        sent = fields(head)
        assert sent["x-api-key"] == "k-1" and sent["anthropic-version"] == "2023-06-01"
        assert "authorization" not in sent
    assert line(list_requests(provider)[0]) == "GET /v1/models?limit=1000"


def test_one_s_own_header_takes_the_place_of_a_fixed_one() -> None:
    """Whatever its case."""
    provider = known("anthropic", headers={"Anthropic-Version": Secret("2024-01-01")})
    sent = fields(heads(provider, None)["messages"])
    assert sent["Anthropic-Version"] == "2024-01-01" and "anthropic-version" not in sent


def test_an_operation_has_its_headers_wherever_it_is() -> None:
    """A server of several dialects is told the version on that one's paths alone."""
    found = heads(known("vllm"), None)
    assert fields(found["messages"])["anthropic-version"] == "2023-06-01"
    assert "anthropic-version" not in fields(found["chat"])


def test_the_model_in_the_path() -> None:
    """Streams have a path of their own; collections stand where Google has them."""
    provider = known("google")
    found = of_model(provider, "gemini-2.5-flash")
    assert {op: line(head) for op, head in found.items()} == {
        "generate": "POST /v1beta/models/gemini-2.5-flash:generateContent",
        "generate.stream": "POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "google_count": "POST /v1beta/models/gemini-2.5-flash:countTokens",
        "batch_embed": "POST /v1beta/models/gemini-2.5-flash:batchEmbedContents",
        "embed_content": "POST /v1beta/models/gemini-2.5-flash:embedContent",
    }
    assert fields(found["generate"])["x-goog-api-key"] == "k-1"
    assert of_model(provider, "models/gemini-2.5-flash") == found
    tuned = of_model(provider, "tunedModels/mine-1")["generate"]
    assert line(tuned) == "POST /v1beta/tunedModels/mine-1:generateContent"
    assert list(found) == list(heads(provider, None))


def test_a_collection_that_one_provider_has() -> None:
    """Whose models stand in paths below their collection; of two nobody knows which is meant."""
    google, other = known("google"), known("openai")
    assert collections({"openai": other, "g": google}) == {"tunedModels": "g"}
    assert collections({"openai": other}) == collections({"g": google, "h": google}) == {}


@pytest.mark.parametrize(
    "name", ["..", "a/b", "a:b", "a?b", "a%2fb", "é", "a b", "models/", "models/..", "models/models/x", "a\r\nb", ""]
)
def test_what_could_be_another_path_is_no_model(name: str) -> None:
    """Nothing is sent, and the caller is told."""
    with pytest.raises(Fault, match="cannot be") as told:
        of_model(known("google"), name)
    assert told.value.code == "model_not_found"


def test_collections_are_for_paths_that_have_them() -> None:
    """A deployment has no such name."""
    with pytest.raises(Fault):
        of_model(known("azure-deployments", values={"host": "h.example"}), "models/x")


def test_queries_are_joined() -> None:
    """The path's own, then the provider's."""
    provider = known("azure-deployments", values={"host": "h.example"}, ops=("generate", "chat"))
    found = of_model(provider, "m")
    assert line(found["generate.stream"]).endswith(":streamGenerateContent?alt=sse&api-version=2024-10-21")
    assert line(found["chat"]).endswith("/deployments/m/chat/completions?api-version=2024-10-21")


def test_a_path_beside_the_base_url() -> None:
    """`../` leaves the last part of the base URL out, here a version."""
    assert line(list_requests(known("cohere"))[0]) == "GET /v1/models?page_size=1000"
    assert line(heads(known("cohere"), None)["cohere_chat"]) == "POST /v2/chat"
