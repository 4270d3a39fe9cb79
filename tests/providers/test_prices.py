"""Whose price holds: the settings' before the file's, the nearer before the farther."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.catalogue.catalogue import Catalogue
from encke.catalogue.prices import PriceBook
from encke.compose import EngineAddress, compose, make_catalogue, price_file, worker_providers
from encke.config.load import Environment
from encke.config.problems import ConfigError
from encke.providers.prices import ProviderPrices
from encke.providers.provider import Provider
from tests.support.gateway import to_toml

NOW = 1_795_000_000_000
BOOK = PriceBook(price_file)
OWN = {"input": "0.25", "output": "2"}


def made(tmp_path: Path, settings: dict[str, Any]) -> tuple[Catalogue, dict[str, Provider]]:
    """The catalogue and the providers of settings."""
    file = tmp_path / "encke.toml"
    file.write_text(to_toml(settings), "utf-8")
    found = compose(str(file), {"ENCKE_DATA": str(tmp_path)})
    assert isinstance(found.environment, Environment)
    providers = worker_providers(found.config, {}, EngineAddress("/tmp/engine.sock", "engine-key"))
    return make_catalogue(found.config, providers), providers


def version(provider: Provider, model: str) -> str | None:
    """Of the price that holds, None for none."""
    price = ProviderPrices(provider, BOOK).pricing(model).at(NOW)
    return None if price is None else price.version


def test_known_providers_have_their_list(tmp_path: Path) -> None:
    """Named in the settings or in the preset; others have none."""
    _, providers = made(
        tmp_path,
        {
            "providers": {
                "openai": {"api_key": "k"},
                "second": {"preset": "openai", "api_key": "k"},
                "azure": {"values": {"host": "h.example"}, "api_key": "k", "price_list": "openai"},
                "groq": {"api_key": "k", "price_list": "none"},
                "ollama": {},
                "lab": {"dialect": "openai_chat", "base_url": "https://h.example/v1"},
            }
        },
    )
    for name in ("openai", "second", "azure"):
        assert version(providers[name], "gpt-4o-mini") == BOOK.version, name
    assert version(providers["groq"], "llama-3.3-70b-versatile") is None
    assert version(providers["ollama"], "gpt-4o-mini") is None
    assert version(providers["lab"], "gpt-4o-mini") is None


def test_the_embedded_model_is_free(tmp_path: Path) -> None:
    """It runs on one's own machine; other servers there are not known to cost nothing."""
    _, providers = made(tmp_path, {"providers": {"ollama": {}, "vllm": {}, "llamacpp": {}, "lmstudio": {}}})
    assert version(providers["local"], "local") == "free"
    assert [version(providers[name], "m") for name in ("ollama", "vllm", "llamacpp", "lmstudio")] == [None] * 4


def test_the_nearer_price_holds(tmp_path: Path) -> None:
    """Target, model, the provider's for that id, the provider's for all, the list: each where it is said."""
    catalogue, providers = made(
        tmp_path,
        {
            "providers": {
                "openai": {"api_key": "k", "prices": {"gpt-4o": {"input": "4", "output": "4"}, "o3": "free"}},
                "lab": {
                    "dialect": "openai_chat",
                    "base_url": "https://h.example/v1",
                    "price": {"input": "5", "output": "5"},
                    "prices": {"big": {"input": "6", "output": "6"}},
                },
            },
            "models": {
                "fast": {
                    "price": {"input": "2", "output": "2"},
                    "targets": [
                        {"provider": "openai", "model": "gpt-4o", "price": {"input": "1", "output": "1"}},
                        {"provider": "openai", "model": "gpt-4o"},
                    ],
                    "fallback": ["lab/big"],
                },
                "plain": {"targets": [{"provider": "openai", "model": "gpt-4o"}]},
            },
        },
    )
    fast, plain = catalogue.resolve("fast"), catalogue.resolve("plain")
    inputs = []
    for target in (*fast.targets, *plain.targets, *fast.fallback):
        pricing = target.pricing or ProviderPrices(providers[target.provider], BOOK).pricing(target.model)
        price = pricing.at(NOW)
        assert price is not None
        inputs.append(price.rates[0])
    assert inputs == [1_000_000, 2_000_000, 4_000_000, 6_000_000]
    assert version(providers["openai"], "o3") == "free"
    assert version(providers["openai"], "gpt-4o-mini") == BOOK.version
    lab = ProviderPrices(providers["lab"], BOOK).pricing("small").at(NOW)
    assert lab is not None and lab.rates[0] == 5_000_000 and lab.version.startswith("set-")


def test_another_price_makes_another_provider(tmp_path: Path) -> None:
    """So that a reload notices it, and a price without a change is no change."""
    same = [made(tmp_path, {"providers": {"openai": {"api_key": "k", "price": OWN}}})[1]["openai"] for _ in range(2)]
    other = made(tmp_path, {"providers": {"openai": {"api_key": "k", "price": "free"}}})[1]["openai"]
    assert same[0] == same[1] != other
    assert msgspec.structs.replace(other, price=same[0].price) == same[0]


def test_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the line, and the nearest there is."""
    with pytest.raises(ConfigError) as told:
        made(tmp_path, {"providers": {"openai": {"api_key": "k", "price_list": "open-ai"}}})
    assert '"open-ai" is no list in the price file' in str(told.value) and 'did you mean "openai"' in str(told.value)
