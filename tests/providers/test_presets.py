"""The known providers and their examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from encke.config.endpoints import split_base_url
from encke.providers.ops import AUTH_HEADERS, PATHS
from encke.providers.presets import FOLDER, read_presets, usual_variables
from tests.support.presets import address, filled

EXAMPLES = sorted(FOLDER.glob("*/examples/*.json"))
GOOD = 'name = "lab"\ntitle = "Lab"\ndialect = "d"\nstream_usage = "never"\nkey_required = false\npaths = ["chat"]\n'
# What there are recordings of, and the servers that people run themselves.
KNOWN = """
alibaba anthropic anthropic-openai azure azure-deployments azure-inference baseten bedrock bedrock-mantle cerebras
cloudflare cohere cohere-openai google-openai ollama-native voyage
crusoe databricks deepseek google groq heroku huggingface litellm llamacpp lmstudio local mistral moonshot ollama
ollama-cloud openai openrouter perplexity pollinations snowflake together vllm xai xiaomi zai
"""


def test_the_known_ones() -> None:
    """The folders are read in name order, and say where and who."""
    presets = read_presets()
    assert list(presets) == sorted(presets)
    assert presets.keys() >= set(KNOWN.split())
    assert presets["openai"].base_url == "https://api.openai.com/v1"
    assert presets["openrouter"].base_url == "https://openrouter.ai/api/v1"
    assert presets["ollama"].base_url == "http://127.0.0.1:11434/v1" and presets["ollama"].allow_private
    assert presets["local"].base_url is None
    assert {"OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "AWS_REGION"} <= set(usual_variables(presets))


def test_every_preset_is_usable() -> None:
    """Base URLs part cleanly, a needed key has a usual variable, and a cloud is called over TLS."""
    for preset in read_presets().values():
        if preset.base_url is not None:
            assert address(preset).scheme == ("http" if preset.allow_private else "https")
        assert bool(preset.api_key_env) == preset.key_required
        assert preset.docs.startswith("https://") and preset.title
        assert set(preset.paths) <= {op for op in PATHS if "." not in op}
        assert {op.partition(".")[0] for op in preset.route_paths} <= set(preset.paths)
        assert preset.instead_of in ("", *read_presets())
        assert all(value.sentence.endswith(".") for value in preset.values.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name =", "lab/provider.toml: Invalid value"),
        (GOOD + 'typo = "x"', "lab/provider.toml: .*typo"),
        (GOOD.replace("never", "sometimes"), "lab/provider.toml: .*sometimes"),
        (GOOD.replace('"lab"', '"other"'), 'lab/provider.toml: name is "other"; it must be that of the folder'),
        (GOOD + 'route_paths = { typo = "/x" }', "lab/provider.toml: route_paths has no operations typo"),
        (GOOD + 'base_url = "https://{host}/v1"', "lab/provider.toml: values must be those of the address: .*host"),
        (GOOD + '[values.host]\nsentence = "S."', "lab/provider.toml: values must be those of the address: "),
    ],
)
def test_a_wrong_preset(tmp_path: Path, text: str, message: str) -> None:
    """A preset that is not as it must be names its file."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/provider.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_presets(tmp_path)


def test_a_folder_without_preset_is_passed_over(tmp_path: Path) -> None:
    """Only folders with a provider.toml count."""
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/provider.toml").write_text(GOOD)
    assert list(read_presets(tmp_path)) == ["lab"]


def test_every_provider_has_examples() -> None:
    """A whole answer and a stream for everyone, of the operation that comes first; embeddings have no streams."""
    for name, preset in read_presets().items():
        op = "chat" if preset.paths[0] == "mistral_chat" else preset.paths[0]
        wanted = {f"{op}.json"} if "embed" in op else {f"{op}.json", f"{op}_stream.json"}
        assert wanted <= {file.name for file in EXAMPLES if file.parts[-3] == name}, name


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: "/".join(file.parts[-3::2]))
def test_example(file: Path) -> None:
    """An example goes to the preset's path, presents a key where one is needed; OpenAI's chat tells usage as the preset
    says."""
    preset = read_presets()[file.parts[-3]]
    example: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert example.keys() == {"request", "response"}
    request, response = example["request"], example["response"]
    assert request.keys() == {"path", "headers", "body"} and response.keys() == {"status", "headers", "body"}
    prefix = split_base_url(filled(preset, preset.base_url)).prefix if preset.base_url else "/v1"
    op = file.stem if file.stem in PATHS else "chat"
    stream = file.stem.endswith("_stream") and f"{file.stem.removesuffix('_stream')}.stream" in PATHS
    op = file.stem.removesuffix("_stream") + ".stream" * stream if file.stem.removesuffix("_stream") in PATHS else op
    path, model = PATHS[op], request["path"].rpartition("/")[2].partition(":")[0]
    path = path.partition("?")[0].replace("{model}", model)
    assert request["path"].startswith(prefix) and request["path"].partition("?")[0].endswith(path)
    assert (AUTH_HEADERS[preset.auth or "bearer"] in request["headers"]) or not preset.key_required
    if not request["path"].partition("?")[0].endswith("/chat/completions"):
        return
    if response["status"] >= 400:
        assert response["body"]
    elif request["body"].get("stream"):
        check_stream(request["body"], response["body"], preset.stream_usage)
    else:
        assert response["body"]["usage"]["total_tokens"] > 0


def check_stream(asked: dict[str, Any], body: str, stream_usage: str) -> None:
    """Whole events, `[DONE]` at the end, usage in the last of them, and asked for only where asking is the way."""
    events = [event for event in body.split("\n\n") if event.startswith("data: ")]
    assert body.endswith("\n\n") and events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert [c["finish_reason"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]] == ["stop"]
    assert ("stream_options" in asked) == (stream_usage == "option")
