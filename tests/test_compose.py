"""Configuration in, what runs out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encke.compose import (
    EngineAddress,
    compose,
    make_catalogue,
    make_limits,
    model_list_heads,
    open_access_log,
    worker_providers,
)
from encke.config.problems import ConfigError
from tests.support.gateway import lab, to_toml

ENGINE = EngineAddress("/tmp/engine.sock", "sk-engine-0123456789")


def written(folder: Path, settings: dict[str, object]) -> str:
    """The path of a settings file."""
    path = folder / "encke.toml"
    path.write_text(to_toml(settings))
    return str(path)


def test_nothing_configured(tmp_path: Path) -> None:
    """No file and no keys: the embedded model is all there is."""
    made = compose(None, {"ENCKE_DATA": str(tmp_path)})
    assert dict(made.providers) == {}
    catalogue = make_catalogue(made.config, worker_providers(made.config, {}, ENGINE))
    assert [model.name for model in catalogue.names()] == ["local"]


def test_keys_in_the_environment_make_providers(tmp_path: Path) -> None:
    """A known provider needs only its variable; the worker gets the key and nothing shows it."""
    made = compose(None, {"ENCKE_DATA": str(tmp_path), "OPENAI_API_KEY": "sk-canary-0123456789abcdef"})
    assert "openai" in made.providers
    assert "canary" not in repr(made)
    providers = worker_providers(made.config, made.environment.provider_keys, None)
    head = model_list_heads(providers)["openai"][0]
    assert head.startswith(b"GET /v1/models HTTP/1.1\r\nhost: api.openai.com\r\n") and head.endswith(b"\r\n\r\n")
    assert b"authorization: Bearer sk-canary-0123456789abcdef\r\n" in head and b"accept-encoding: identity" in head


def test_the_list_of_models_is_where_the_preset_says(tmp_path: Path) -> None:
    """One request for each credential; none for providers without such a list, or with models in the settings."""
    credentials = [{"name": name, "api_key": f"key-{name}"} for name in ("a", "b")]
    tables = {"perplexity": {"credentials": credentials}, "snowflake": {"api_key": "k", "values": {"account": "a"}}}
    tables["groq"] = {"api_key": "k", "models": ["m"]}
    made = compose(written(tmp_path, {"providers": tables}), {"ENCKE_DATA": str(tmp_path)})
    heads = model_list_heads(made.providers)
    assert list(heads) == ["perplexity"]
    assert [head.split(b" ")[1] for head in heads["perplexity"]] == [b"/v1/models"] * 2
    assert all(b"Bearer key-" + name in head for name, head in zip((b"a", b"b"), heads["perplexity"], strict=True))


def test_aliases_and_fallbacks(tmp_path: Path) -> None:
    """An alias has its targets; a fallback that is an alias stands for that one's targets, `local` for the engine."""
    settings = {
        **lab("http://127.0.0.1:1"),
        "models": {
            "fast": {"targets": [{"provider": "lab", "model": "a", "weight": 3}], "fallback": ["slow", "local"]},
            "slow": {"targets": [{"provider": "lab", "model": "b"}]},
        },
    }
    made = compose(written(tmp_path, settings), {"ENCKE_DATA": str(tmp_path)})
    catalogue = make_catalogue(made.config, worker_providers(made.config, {}, ENGINE))
    fast = catalogue.resolve("fast")
    assert [(one.provider, one.model, one.weight) for one in fast.targets] == [("lab", "a", 3)]
    assert [(one.provider, one.model) for one in fast.fallback] == [("lab", "b"), ("local", "local")]


def test_wrong_settings_are_refused_before_anything_runs(tmp_path: Path) -> None:
    """An unknown key is an error that names it."""
    with pytest.raises(ConfigError, match="listenn"):
        compose(written(tmp_path, {"server": {"listenn": "x"}}), {"ENCKE_DATA": str(tmp_path)})


def test_limits(tmp_path: Path) -> None:
    """Settings of the server become limits of its connections."""
    settings: dict[str, object] = {"server": {"max_body": 1 << 20, "keepalive": 7}}
    limits = make_limits(compose(written(tmp_path, settings), {"ENCKE_DATA": str(tmp_path)}).config)
    assert (limits.max_body, limits.keepalive) == (1 << 20, 7)


def test_access_log_targets(tmp_path: Path) -> None:
    """Off is off; a file is appended to, its folder made, and only its owner may read it."""
    assert open_access_log("off") is None
    path = tmp_path / "logs" / "access.log"
    fd = open_access_log(str(path))
    assert fd is not None
    os.close(fd)
    assert path.stat().st_mode & 0o777 == 0o600 and os.path.getsize(path) == 0
