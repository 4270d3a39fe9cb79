"""`encke config check`: what the gateway would find."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_without_a_file(encke: Run, data: Path) -> None:
    """Defaults, and the providers whose usual variable is set; never a key."""
    done = encke("config", "check", OPENAI_API_KEY="sk-very-secret")
    assert done.exit_code == 0
    assert "settings: no file" in done.output and f"data: {data}" in done.output
    assert "provider openai: https://api.openai.com/v1, openai_chat, key set" in done.output
    assert "very-secret" not in done.output


def test_a_key_without_the_rest(encke: Run) -> None:
    """A provider whose key is there and whose address is not known whole is off, and the check says what is missing."""
    environ = {"AZURE_OPENAI_API_KEY": "k-secret", "AWS_BEARER_TOKEN_BEDROCK": "k-secret", "AWS_REGION": "eu-west-1"}
    done = encke("config", "check", **environ)
    assert done.exit_code == 0 and "k-secret" not in done.output
    assert "provider azure: off, though its key is there; set AZURE_OPENAI_ENDPOINT too" in done.output
    assert "azure-deployments" not in done.output
    assert "provider bedrock: https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1" in done.output


def test_a_file_by_argument_or_option(encke: Run, tmp_path: Path) -> None:
    """Both name it."""
    file = tmp_path / "mine.toml"
    file.write_text('[providers.ollama]\n[models.fast]\ntargets = [{ provider = "ollama", model = "m" }]\n')
    for done in (encke("config", "check", str(file)), encke("config", "check", "--config", str(file))):
        assert done.exit_code == 0 and f"settings: {file}" in done.output
        assert "model fast: ollama/m 100 %" in done.output


def test_everything_wrong_is_told_at_once(encke: Run, tmp_path: Path) -> None:
    """Each with its line, a suggestion where one is near, and exit status 1."""
    file = tmp_path / "bad.toml"
    file.write_text(
        '[server]\nlisten = "nowhere"\n[routng]\nretries = 1\n[providers.openai]\napi_key = "${NOT_SET}"\n'
        '[providers.lab]\ndialect = "openai-chat"\n[models.fast]\ntargets = [{ provider = "lob", model = "m" }]\n'
    )
    done = encke("config", "check", str(file))
    assert done.exit_code == 1
    # What is wrong with providers and models too, and nothing that only follows from what is wrong already.
    assert all(f"bad.toml:{line}: " in done.output for line in (2, 3, 6, 8, 10)) and done.output.count("bad.toml:") == 6
    assert "providers.lab.base_url: is missing" in done.output and 'did you mean "lab"?' in done.output
    assert all(words in done.output for words in ("listen", "routing", "NOT_SET", "bad.toml"))


def test_models_without_a_price_are_warned_of(encke: Run, tmp_path: Path) -> None:
    """Those that the file names, wherever it does, once; not those that it or the price file has a price for."""
    file = tmp_path / "mine.toml"
    file.write_text(
        '[providers.openai]\napi_key = "k"\nmodels = ["gpt-4o-mini", "gpt-unheard-of"]\n'
        '[providers.ollama]\nmodels = ["m", "cheap"]\nprices = { cheap = "free" }\n'
        '[models.fast]\ntargets = [{ provider = "ollama", model = "m" }]\nfallback = ["local", "ollama/other"]\n'
        '[models.own]\nprice = { input = "1", output = "2" }\ntargets = [{ provider = "ollama", model = "priced" }]\n'
    )
    done = encke("config", "check", str(file))
    assert done.exit_code == 0 and "\nprices: 20" in done.stdout
    warnings = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == ["openai/gpt-unheard-of", "ollama/m", "ollama/other"]
    assert "refused where a budget applies" in done.stderr and "gpt-4o-mini has" not in done.stderr
