"""From settings and presets to providers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from encke.catalogue.prices import PriceBook
from encke.compose import price_file
from encke.config.load import load, read_environment
from encke.config.problems import ConfigError
from encke.config.secret import Secret
from encke.config.settings import Timeouts
from encke.dialects.table import DIALECT_OPS
from encke.providers.capabilities import traits_of
from encke.providers.describe import describe
from encke.providers.presets import read_presets, usual_variables
from encke.providers.provider import Credential, Provider
from encke.providers.resolve import engine_provider, resolve

PRESETS = read_presets()
KNOWN_DIALECTS = ", ".join(f'"{name}"' for name in sorted(DIALECT_OPS))
CHAT = ("chat", "completions", "embeddings", "moderations", "models")
LAB = '[providers.lab]\ndialect = "openai_chat"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a working folder of its own."""
    monkeypatch.chdir(tmp_path)


def providers_of(text: str | None, environ: Mapping[str, str] | None = None) -> dict[str, Provider]:
    """The providers of a settings text (None: no file)."""
    environ = environ or {}
    if text is not None:
        Path("encke.toml").write_text(text, encoding="utf-8")
    keys = read_environment(environ, usual_variables(PRESETS)).provider_keys
    return resolve(load(None, environ), PRESETS, keys, DIALECT_OPS)


def lines_of(text: str | None, environ: Mapping[str, str] | None = None) -> list[str]:
    """The rendered problems of a text that must be refused."""
    with pytest.raises(ConfigError) as caught:
        providers_of(text, environ)
    return caught.value.lines()


def test_no_file_and_no_variable() -> None:
    """Nothing set: no providers, and no error."""
    assert providers_of(None) == {}


@pytest.mark.parametrize("text", [None, "", "server.workers = 1"])
def test_usual_variables(text: str | None) -> None:
    """Without any provider in the settings, those are on whose variable is set; other variables are not looked at."""
    environ = {"OPENAI_API_KEY": "k-1", "OPENROUTER_API_KEY": "", "OPENAI_BASE_URL": "https://evil.example/v1"}
    found = providers_of(text, environ)
    assert list(found) == ["openai"]
    assert found["openai"] == Provider(
        name="openai",
        title="OpenAI",
        dialect="openai_chat",
        scheme="https",
        host="api.openai.com",
        port=443,
        prefix="/v1",
        credentials=(Credential(Secret("k-1")),),
        stream_usage="option",
        limit_field="max_completion_tokens",
        paths=("chat", "responses", "completions", "embeddings", "moderations", "models"),
        price_list="openai",
        model_rows=PRESETS["openai"].rows,
    )


def test_a_table_turns_the_others_off() -> None:
    """Once the settings have a provider, a variable alone does not turn on another."""
    text = LAB + 'base_url = "https://lab.example/v1"'
    assert list(providers_of(text, {"OPENAI_API_KEY": "k"})) == ["lab"]


def test_a_known_name_needs_only_a_key() -> None:
    """The key comes from the settings, else from the usual variable."""
    written = providers_of('[providers.openai]\napi_key = "k-1"', {"OPENAI_API_KEY": "k-2"})["openai"]
    usual = providers_of("[providers.openai]\nmax_connections = 3", {"OPENAI_API_KEY": "k-2"})["openai"]
    assert written.credentials == (Credential(Secret("k-1")),)
    assert usual.credentials == (Credential(Secret("k-2")),) and usual.max_connections == 3
    assert written.base_url == usual.base_url == "https://api.openai.com/v1"


def test_a_provider_of_ones_own() -> None:
    """Everything the settings say arrives."""
    Path("ca.pem").touch()
    text = LAB + (
        'base_url = "http://10.0.0.5:8000/v1/"\nallow_private = true\nca_file = "ca.pem"\nstream_usage = "never"\n'
        'models = ["m"]\nheaders = { X-A = "1" }\nmax_connections = 5\ntimeouts.idle = 1'
    )
    assert providers_of(text)["lab"] == Provider(
        name="lab",
        title="lab",
        dialect="openai_chat",
        scheme="http",
        host="10.0.0.5",
        port=8000,
        prefix="/v1",
        allow_private=True,
        ca_file=str(Path("ca.pem").absolute()),
        stream_usage="never",
        paths=CHAT,
        models=("m",),
        headers=(("X-A", Secret("1")),),
        max_connections=5,
        timeouts=Timeouts(idle=1.0),
    )


def test_a_local_server_needs_no_key_and_may_be_private() -> None:
    """Ollama's preset says so itself, also for another machine of one's own; the settings may take it back."""
    assert providers_of("[providers.ollama]")["ollama"].base_url == "http://127.0.0.1:11434/v1"
    moved = providers_of('[providers.ollama]\nbase_url = "http://192.168.1.5:11434/v1"')["ollama"]
    assert moved.allow_private and moved.host == "192.168.1.5" and moved.credentials == ()
    assert len(lines_of("[providers.ollama]\nallow_private = false")) == 1


def test_what_models_name_is_on() -> None:
    """A known provider named by a target or a fallback is on without a table; the embedded model is not among them."""
    text = """
    [models.a]
    targets = [{ provider = "ollama", model = "m" }, { provider = "local", model = "local" }]
    fallback = ["openai/gpt-4o-mini", "local"]
    """
    assert sorted(providers_of(text, {"OPENAI_API_KEY": "k"})) == ["ollama", "openai"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[providers.openai]", ["1: providers.openai.api_key: is missing; set OPENAI_API_KEY in the environment, "
                                "or write api_key here"]),
        ("[providers.lab]", ['1: providers.lab.dialect: is missing: "lab" is not a known provider; '
                             f'write one of {KNOWN_DIALECTS}',
                             '1: providers.lab.base_url: is missing: "lab" is not a known provider; say where it is']),
        ('[providers.lab]\ndialect = "openai-chat"\nbase_url = "https://h"',
         ['2: providers.lab.dialect: "openai-chat" is not a dialect; '
          f'write one of {KNOWN_DIALECTS}; '
          'did you mean "openai_chat"?']),
        (LAB + 'base_url = "http://h.example"', ["3: providers.lab.base_url: would send the key in clear; use https, "
                                                    "or say allow_private = true for a server of your own"]),
        (LAB + 'base_url = "https://10.0.0.5/v1"', ["3: providers.lab.base_url: is on a private network; "
                                                    "say allow_private = true if that is meant"]),
        (LAB + 'base_url = "https://LocalHost/v1"', ["3: providers.lab.base_url: is on a private network; "
                                                     "say allow_private = true if that is meant"]),
        (LAB + 'allow_private = true\nbase_url = "http://169.254.169.254/v1"',
         ["4: providers.lab.base_url: is a cloud's metadata service, which is never called"]),
        (LAB + 'allow_private = true\nbase_url = "http://[fd00:ec2::254]/v1"',
         ["4: providers.lab.base_url: is a cloud's metadata service, which is never called"]),
        (LAB + 'base_url = "https://h"\n[models.a]\ntargets = [{ provider = "lob", model = "m" }]',
         ['5: models.a.targets[0].provider: "lob" is no provider; add [providers.NAME] for it; did you mean "lab"?']),
        ('[models.a]\ntargets = [{ provider = "openrouter", model = "m" }]',
         [": providers.openrouter.api_key: is missing; set OPENROUTER_API_KEY in the environment, "
          "or write api_key here"]),
    ],
)  # fmt: skip
def test_problems(text: str, lines: list[str]) -> None:
    """What cannot be resolved is told at its line, all of it at once."""
    assert lines_of(text) == [f"encke.toml{'' if line.startswith(':') else ':'}{line}" for line in lines]


def test_a_broken_variable() -> None:
    """A usual variable that holds no key is named, and not shown."""
    assert lines_of(None, {"OPENAI_API_KEY": "canary\n"}) == [
        "environment: OPENAI_API_KEY: has white space, a line break or a character outside ASCII in it; "
        "a key is one unbroken word"
    ]


def test_an_unused_broken_variable_does_not_matter() -> None:
    """A variable that nobody uses may hold anything."""
    text = LAB + 'base_url = "https://h"'
    assert list(providers_of(text, {"OPENAI_API_KEY": "a b"})) == ["lab"]


def test_a_dialect_says_the_rest() -> None:
    """Operations, how the key is presented, fixed headers: as usual for the dialect, unless the settings say else."""
    base = 'base_url = "https://h.example/v1"\napi_key = "k"\n'
    text = f'[providers.a]\ndialect = "anthropic_messages"\n{base}[providers.b]\ndialect = "google_generate"\n{base}'
    text += f'[providers.c]\ndialect = "anthropic_messages"\nauth = "bearer"\nops = ["messages"]\n{base}'
    found = providers_of(text)
    assert found["a"].auth == "x-api-key" and found["a"].fixed_headers == (("anthropic-version", "2023-06-01"),)
    assert found["a"].paths == DIALECT_OPS["anthropic_messages"]
    assert found["b"].auth == "x-goog-api-key" and found["b"].paths[0] == "generate"
    assert (found["c"].auth, found["c"].paths) == ("bearer", ("messages",))
    assert lines_of(text.replace('["messages"]', '["message"]'))[0].startswith(
        'encke.toml:12: providers.c.ops[0]: "message" is no operation; there are chat, '
    )


def test_a_known_provider_in_another_dialect() -> None:
    """Its address is of its own dialect; another dialect needs another address, which some have under a name."""
    (line,) = lines_of('[providers.google]\napi_key = "k"\ndialect = "openai_chat"')
    assert line == (
        'encke.toml:1: providers.google.base_url: is missing: the known address of google speaks "google_generate"; '
        'say where it speaks "openai_chat"; leave dialect out and say preset = "google-openai"'
    )
    moved = '[providers.google]\napi_key = "k"\ndialect = "openai_chat"\nbase_url = "https://h.example/v1"'
    google = providers_of(moved)["google"]
    assert (google.auth, google.paths, google.price_list) == ("bearer", CHAT, "google")
    compatible = providers_of('[providers.google]\npreset = "google-openai"\napi_key = "k"')["google"]
    assert compatible.base_url.endswith("/v1beta/openai") and compatible.paths == ("chat", "embeddings", "models")


def test_one_address_of_several_is_on_by_its_variable() -> None:
    """The others are there for those who name them."""
    assert list(providers_of(None, {"GEMINI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})) == ["anthropic", "google"]


def test_the_engine_as_a_provider() -> None:
    """The embedded model is an ordinary provider once its engine listens."""
    engine = engine_provider(PRESETS["local"], Timeouts(), port=4321, api_key=Secret("k"))
    assert engine.base_url == "http://127.0.0.1:4321/v1"
    assert (engine.name, engine.dialect, engine.models, engine.allow_private) == (
        "local",
        "openai_chat",
        ("local",),
        True,
    )
    assert engine_provider(PRESETS["local"], Timeouts(), unix_socket="/run/e.sock").unix_socket == "/run/e.sock"


def test_what_the_engine_is_known_to_read() -> None:
    """Its settings say it; nobody has to ask the engine."""
    for context in (4096, 0):
        engine = engine_provider(PRESETS["local"], Timeouts(), context=context)
        said = traits_of(engine, PriceBook(price_file))("local").capabilities
        assert (said.context, said.images) == (context, False)


def test_credentials() -> None:
    """Several keys by name and weight, as a list or as tables; they take the place of the usual variable."""
    text = '[providers.openai]\ncredentials = [{ name = "a", api_key = "${A}", weight = 3 },'
    text += ' { name = "b", api_key = "2" }]'
    tables = '[[providers.openai.credentials]]\nname = "a"\napi_key = "1"\nweight = 3\n'
    tables += '[[providers.openai.credentials]]\nname = "b"\napi_key = "2"'
    wanted = (Credential(Secret("1"), "a", 3), Credential(Secret("2"), "b", 1))
    for one in (text, tables):
        found = providers_of(one, {"A": "1", "OPENAI_API_KEY": "k"})["openai"]
        assert found.credentials == wanted
        assert describe(load(None, {"A": "1"}), {"openai": found})[-1] == (
            "provider openai: https://api.openai.com/v1, openai_chat, credentials a 75 %, b 25 %"
        )


def test_describe() -> None:
    """The description has every provider and model, and no secret."""
    text = """
    server.workers = 2
    [providers.openai]
    api_key = "canary"
    headers = { X-Team = "canary" }
    models = ["gpt-4o-mini"]
    [providers.ollama]
    [models.fast]
    targets = [{ provider = "openai", model = "gpt-4o-mini", weight = 3 }, { provider = "ollama", model = "q" }]
    fallback = ["local"]
    """
    found = providers_of(text)
    assert describe(load(None, {}), found) == [
        "settings: encke.toml",
        f"data: {Path.cwd()}/encke-data",
        "listen: 127.0.0.1:8080, 2 workers",
        'embedded model: "local", the one that ships',
        "provider openai: https://api.openai.com/v1, openai_chat, key set, headers X-Team, models listed: 1",
        "provider ollama: http://127.0.0.1:11434/v1, openai_chat, no key",
        "model fast: openai/gpt-4o-mini 75 %, ollama/q 25 %; falls back to local",
    ]


def test_describe_nothing() -> None:
    """With nothing set it says so."""
    lines = describe(load(None, {}), {})
    assert lines[0] == "settings: no file, defaults and environment"
    assert lines[-1] == "providers: none"
