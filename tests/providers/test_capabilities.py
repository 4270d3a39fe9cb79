"""What models can do: as `provider.toml` says it, the price list, and the settings over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from encke.catalogue.prices import PriceBook
from encke.compose import compose, make_catalogue, price_file
from encke.config.problems import ConfigError
from encke.core.traits import Capabilities, Traits
from encke.providers.capabilities import read_row, traits_of
from encke.providers.presets import read_presets
from tests.support.gateway import to_toml

BOOK = PriceBook(price_file)
KEY = {"api_key": "k"}


def traits(folder: Path, provider: str, model: str, **settings: Any) -> Traits:
    """Of a model at a provider with these settings."""
    file = folder / "encke.toml"
    values = dict.fromkeys(read_presets()[provider].values, "v") if provider in read_presets() else {}
    table = {**KEY, **({"values": values} if values else {}), **settings}
    file.write_text(to_toml({"providers": {provider: table}}), "utf-8")
    found = compose(str(file), {"ENCKE_DATA": str(folder)}).providers[provider]
    return traits_of(found, BOOK)(model)


@pytest.mark.parametrize(
    ("provider", "model", "said"),
    [
        ("openai", "gpt-4o-mini", {"thinking": "", "sampling": True, "ops": (), "max_output": 16384}),
        ("openai", "gpt-5-mini-2025-08-07", {"sampling": False, "efforts": ("minimal", "low", "medium", "high"),
                                             "ops": ("responses", "chat"), "context": 400_000}),
        ("openai", "gpt-5.1", {"sampling": True, "sampling_thinking": False,
                               "efforts": ("none", "low", "medium", "high")}),
        ("openai", "gpt-5.2-pro", {"ops": ("responses",)}),
        ("openai", "gpt-5.3-codex", {"ops": ("responses",), "efforts": ("low", "medium", "high", "xhigh")}),
        ("openai", "o3-pro-2025-06-10", {"ops": ("responses",), "stop": False}),
        ("openai", "o1-mini", {"ops": ("chat",), "system": False, "tools": False}),
        ("openai", "gpt-5-chat-latest", {"thinking": "", "sampling": True, "ops": (), "stop": True}),
        ("openai", "gpt-6-sol", {"ops": ("responses", "chat"), "logprobs": False}),
        ("openai", "gpt-audio", {"audio": True, "images": False, "json_schema": False, "ops": ("chat",)}),
        ("openai", "text-embedding-3-small", {"ops": ()}),
        ("openai", "nobody-knows-1", {"thinking": "effort", "sampling": True, "ops": ()}),
        ("azure", "gpt-5-mini", {"sampling": False}),
        ("anthropic", "claude-opus-5-5", {"thinking": "adaptive", "sampling": False, "forced_tools": False}),
        ("anthropic", "claude-sonnet-4-5-20250929", {"thinking": "budget", "sampling": True, "prefill": True,
                                                     "json_schema": True, "max_output": 64_000}),
        ("anthropic", "claude-opus-4-6", {"thinking": "adaptive", "sampling": True, "prefill": False,
                                          "context": 1_000_000}),
        ("anthropic", "claude-3-5-haiku-latest", {"thinking": "", "json_schema": False, "max_output": 8192}),
        ("anthropic", "claude-sonnet-4-20250514", {"thinking": "budget", "json_schema": False, "schema_by_tool": True}),
        ("google", "gemini-2.5-pro", {"thinking": "budget"}),
        ("google", "models/gemini-3-pro-preview", {"thinking": "level", "efforts": ("low", "high")}),
        ("google", "gemini-2.0-flash", {"thinking": "", "logprobs": True}),
        ("google", "gemma-3-27b-it", {"system": False, "tools": False}),
        ("mistral", "magistral-medium-2509", {"thinking": "flag"}),
        ("mistral", "codestral-2508", {"images": False, "thinking": ""}),
        ("cohere", "command-a-reasoning-08-2025", {"thinking": "budget", "images": False}),
        ("deepseek", "deepseek-chat", {"json_object": True, "json_schema": False, "thinking": "flag"}),
        ("groq", "GROQ/compound", {"tools": False, "json_schema": False}),
        ("ollama-native", "llama3.2:1b", {"thinking": ""}),
        ("ollama-native", "somebody/else:1b", {"thinking": "effort"}),
    ],
)  # fmt: skip
def test_known_models(tmp_path: Path, provider: str, model: str, said: dict[str, Any]) -> None:
    """Whatever case their names are in, dates behind them or not."""
    found = traits(tmp_path, provider, model).capabilities
    assert {name: getattr(found, name) for name in said} == said


def test_what_is_not_known_is_taken_for_granted(tmp_path: Path) -> None:
    """A server that nobody knows."""
    table = {"dialect": "openai_chat", "base_url": "https://h.example/v1"}
    assert traits(tmp_path, "lab", "m", **table) == Traits()


def test_the_settings_have_the_last_word(tmp_path: Path) -> None:
    """For all models of a provider; what they do not say stays."""
    found = traits(tmp_path, "openai", "gpt-5-mini", capabilities={"sampling": True, "context": 9}).capabilities
    assert (found.sampling, found.context, found.logprobs) == (True, 9, False)


def test_a_makers_models_are_known_at_any_address(tmp_path: Path) -> None:
    """By their names, in their maker's dialect; nothing of it holds for others, and the settings have the last word."""
    file = tmp_path / "encke.toml"
    place = {"base_url": "https://a.example/v1", "api_key": "k"}
    providers = {
        "proxy": {**place, "dialect": "anthropic_messages"},
        "gem": {**place, "dialect": "google_generate", "capabilities": {"images": False}},
        "chat": {**place, "dialect": "openai_chat"},
        "openai": {**place, "dialect": "anthropic_messages"},
    }
    file.write_text(to_toml({"providers": providers, "local": {"enabled": False}}), "utf-8")
    made = compose(str(file), {"ENCKE_DATA": str(tmp_path)}).providers

    def said(provider: str, model: str) -> Capabilities:
        return replace(traits_of(made[provider], BOOK)(model).capabilities, context=0)  # the price list's, if any

    for model in ("claude-sonnet-4-5", "claude-opus-5", "claude-3-haiku-20240307"):
        known = replace(traits(tmp_path, "anthropic", model).capabilities, context=0)
        assert said("proxy", model) == said("openai", model) == known != Capabilities()
    assert said("proxy", "qwen3-8b") == said("openai", "qwen3-8b") == Capabilities()
    assert (said("gem", "gemini-2.5-flash").thinking, said("gem", "gemini-2.5-flash").images) == ("budget", False)
    assert said("gem", "models/gemini-3-pro").thinking == "level"
    assert said("gem", "other") == Capabilities(images=False)
    assert said("chat", "claude-sonnet-4-5") == Capabilities()


def test_an_alias_says_it_of_its_own_targets(tmp_path: Path) -> None:
    """And not of what it falls back to."""
    file = tmp_path / "encke.toml"
    models = {
        "plain": {"targets": [{"provider": "openai", "model": "gpt-4o"}]},
        "blind": {
            "targets": [{"provider": "openai", "model": "gpt-4o"}],
            "capabilities": {"images": False, "ops": ["responses"]},
            "fallback": ["plain"],
        },
    }
    file.write_text(to_toml({"providers": {"openai": KEY}, "models": models, "local": {"enabled": False}}), "utf-8")
    made = compose(str(file), {"ENCKE_DATA": str(tmp_path)})
    blind = make_catalogue(made.config, made.providers).resolve("blind")
    assert blind.targets[0].capabilities == {"images": False, "ops": ("responses",)}
    assert blind.fallback[0].capabilities == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("imges = false", '4: providers.openai.capabilities.imges: unknown capability; did you mean "images"?'),
        ('images = "no"', "4: providers.openai.capabilities.images: must be true or false, without quotes, "
                          "not a string"),
        ("context = -1", "4: providers.openai.capabilities.context: -1 is out of bounds; use 0 (not known) to "
                         "1099511627776 tokens"),
        ('thinking = "levels"', '4: providers.openai.capabilities.thinking: "levels" is none of "effort", "budget", '
                                '"adaptive", "level", "flag", ""; did you mean "level"?'),
        ('efforts = ["low", "hi"]', '4: providers.openai.capabilities.efforts[1]: "hi" is no effort; there are none, '
                                    'minimal, low, medium, high, xhigh, max; did you mean "high"?'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, text: str, line: str) -> None:
    """With its place and the nearest name."""
    file = tmp_path / "encke.toml"
    file.write_text(f'[providers.openai]\napi_key = "k"\n[providers.openai.capabilities]\n{text}\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        compose(str(file), {"ENCKE_DATA": str(tmp_path)})
    assert caught.value.lines() == [f"{file}:{line}"]


def test_an_operation_that_nobody_has_is_told(tmp_path: Path) -> None:
    """Of a provider's models and of an alias's."""
    file = tmp_path / "encke.toml"
    target = 'targets = [{ provider = "openai", model = "m" }]'
    file.write_text(
        '[providers.openai]\napi_key = "k"\ncapabilities = { ops = ["respnses"] }\n'
        f'[models.a]\n{target}\ncapabilities = {{ ops = ["chat", "talk"] }}\n'
    )
    with pytest.raises(ConfigError) as caught:
        compose(str(file), {"ENCKE_DATA": str(tmp_path)})
    told = "\n".join(caught.value.lines())
    assert 'providers.openai.capabilities.ops[0]: "respnses" is no operation' in told
    assert 'models.a.capabilities.ops[1]: "talk" is no operation' in told


def test_rows_are_checked() -> None:
    """A preset's row has names in lower case, and nothing that nobody knows."""
    assert read_row({"names": ["a*"], "images": False}).said == {"images": False}
    for raw in ({"images": False}, {"names": "a"}, {"names": ["A"]}, {"names": ["a"], "imges": True},
                {"names": ["a"], "ops": ["talk"]}, {"names": ["a"], "extensions": "x"}):  # fmt: skip
        with pytest.raises(ValueError, match=r"names|imges|talk|extensions"):
            read_row(raw)


def test_operations_of_rows_are_the_provider_s() -> None:
    """A model is reached by what its provider has."""
    for preset in read_presets().values():
        for row in preset.rows:
            assert set(row.said.get("ops", ())) <= set(preset.paths), preset.name


def test_one_row_over_another(tmp_path: Path) -> None:
    """The later over the earlier, name by name; extensions in place of the provider's."""
    assert traits(tmp_path, "openai", "gpt-5.6-sol").extensions == ("prompt_cache_breakpoint",)
    assert traits(tmp_path, "openai", "gpt-5").extensions == ()
    assert traits(tmp_path, "openrouter", "any/thing").extensions[0] == "top_k"
    assert traits(tmp_path, "openai", "gpt-4").capabilities == Capabilities(
        thinking="", audio=False, images=False, files=False, json_schema=False, json_object=False, context=8192
    )
