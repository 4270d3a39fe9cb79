"""Every preset's examples, through the real gateway: sent where and how the provider wants it, read as it answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from encke.compose import compose
from encke.config.problems import ConfigError
from encke.providers.presets import FOLDER
from encke.testing.replay import Exchange
from tests.relay.test_exchanges import check_chat, check_tokens
from tests.relay.traffic import MODES, Stage, cases
from tests.support.gateway import Gateway
from tests.support.presets import PRESETS


def examples() -> list[Exchange]:
    """Those of OpenAI's chat as recorded exchanges; the embedded model's are played elsewhere."""
    found = [example(file) for file in sorted(FOLDER.glob("*/examples/*.json")) if file.parts[-3] != "local"]
    return [one for one in found if one.record["request"]["path"].endswith("/chat/completions")]


def example(file: Path) -> Exchange:
    """One file."""
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    request, response = found["request"], found["response"]
    path, _, query = request["path"].partition("?")
    body = response["body"] if isinstance(response["body"], str) else json.dumps(response["body"], indent=1)
    return Exchange(
        {
            "id": "/".join(file.parts[-3::2]),
            "provider": file.parts[-3],
            "stream": request["body"].get("stream", False),
            "request": {"path": path, "query": query, "body": request["body"]},
            "response": {**response, "body": body, "body_encoding": "utf-8"},
        }
    )


def test_examples_come_through(all_providers: Gateway, stage: Stage) -> None:
    """Whole, at random cuts and byte by byte; path, query and key as the preset says, tokens as the answer tells."""
    found = examples()
    assert {one.provider for one in found} == {n for n, p in PRESETS.items() if {"chat", "mistral_chat"} & {*p.paths}}
    played = cases(found, MODES)
    check_chat(stage, all_providers, played)
    check_tokens(all_providers, played)


def test_the_model_in_the_path_is_a_plain_name(all_providers: Gateway) -> None:
    """What could be read as another path is no model there, and nothing is sent."""
    for name in ("..", ".", "a/b", "a%2Fb", "a?b", "a b", "é", "a#b", "x" * 129, "-a"):
        body = {"model": f"azure-deployments/{name}", "messages": [{"role": "user", "content": "x"}]}
        response = all_providers.chat(body)
        assert (response.status, response.json()["error"]["code"]) == (404, "model_not_found"), name
        assert response.header("x-encke-attempts") == "0"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            '[providers.azure]\napi_key = "k"',
            ["1: providers.azure.values.host: is missing: Host of the resource, such as contoso.openai.azure.com or "
             "contoso.services.ai.azure.com, as the portal shows it under its endpoint. Write "
             'values = { host = "…" }; or set AZURE_OPENAI_ENDPOINT in the environment'],
        ),
        (
            '[providers.cloudflare]\napi_key = "k"\nvalues = { acount = "a" }',
            ['3: providers.cloudflare.values.acount: unknown value: the address of cloudflare has account; '
             'did you mean "account"?',
             '3: providers.cloudflare.values.account: is missing: Id of the account, 32 hexadecimal digits. Write '
             'values = { account = "…" }; or set CLOUDFLARE_ACCOUNT_ID in the environment'],
        ),
        (
            '[providers.west]\npreset = "azur"\napi_key = "k"',
            ['2: providers.west.preset: "azur" is not a known provider; write dialect and base_url instead; '
             'did you mean "azure"?'],
        ),
        (
            '[providers.mine]\npreset = "local"',
            ['2: providers.mine.preset: "local" is not a known provider; write dialect and base_url instead'],
        ),
        (
            '[providers.openai]\napi_key = "k"\nvalues = { region = "a" }',
            ["3: providers.openai.values.region: unknown value: the address of openai has none"],
        ),
        (
            '[providers.azure]\napi_key = "k"\nvalues = { host = "h.example" }\nheaders = { Api-Key = "k" }',
            ["4: providers.azure.headers.Api-Key: cannot be set here: the gateway sets it from api_key"],
        ),
        (
            '[providers.bedrock]\napi_key = "k"\nvalues = { region = "a_" }',
            ['3: providers.bedrock.values.region: "a_" cannot stand in an address; '
             "use letters, digits, dots, _ and -"],
        ),
        (
            '[providers.snowflake]\napi_key = "k"\nvalues = { account = "a..b" }',
            ['3: providers.snowflake.values.account: "a..b" cannot stand in an address; '
             "use letters, digits, dots, _ and -"],
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(tmp_path: Path, text: str, problems: list[str]) -> None:
    """At the start, with the line, and with what to write."""
    file = tmp_path / "encke.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        compose(str(file), {})
    assert sorted(caught.value.lines()) == sorted(f"{file}:{line}" for line in problems)


def test_places_are_filled(tmp_path: Path) -> None:
    """From the settings, else from usual variables, of which a URL will do; an address of one's own needs no values."""
    file = tmp_path / "encke.toml"
    file.write_text(
        "[providers.azure]\n[providers.azure-deployments]\n"
        'values = { host = "h.example", api_version = "2025-01-01" }\n'
        '[providers.databricks]\nbase_url = "https://proxy.example/db"\napi_key = "k"\n'
        '[providers.alibaba]\napi_key = "k"',
        "utf-8",
    )
    environ = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://contoso.openai.azure.com/"}
    found = compose(str(file), environ).providers
    assert found["azure"].base_url == "https://contoso.openai.azure.com/openai/v1"
    assert found["azure-deployments"].base_url == "https://h.example/openai"
    assert found["azure-deployments"].query == "api-version=2025-01-01"
    assert found["databricks"].base_url == "https://proxy.example/db"
    assert found["alibaba"].base_url == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


def test_another_of_a_known_provider(tmp_path: Path) -> None:
    """A second account has a name of its own, and all else of the known one; the known one needs not be there."""
    file = tmp_path / "encke.toml"
    file.write_text('[providers.west]\npreset = "azure-deployments"\nvalues = { host = "w.example" }\napi_key = "k"')
    west = compose(str(file), {}).providers["west"]
    assert (west.name, west.auth, west.model_path) == ("west", "api-key", "/deployments/{model}")
    assert west.base_url == "https://w.example/openai" and west.query == "api-version=2024-10-21"


def test_a_key_alone_turns_nothing_on_that_needs_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings a provider is on if the environment says all that it needs; no start fails for a stray key."""
    monkeypatch.chdir(tmp_path)
    keys = {"AZURE_OPENAI_API_KEY": "k", "CLOUDFLARE_API_TOKEN": "k", "GROQ_API_KEY": "k", "DATABRICKS_TOKEN": "k"}
    assert set(compose(None, keys).providers) == {"groq"}
    places = {"CLOUDFLARE_ACCOUNT_ID": "a1", "DATABRICKS_HOST": "https://adb-1.2.azuredatabricks.net"}
    assert set(compose(None, {**keys, **places}).providers) == {"cloudflare", "databricks", "groq"}
