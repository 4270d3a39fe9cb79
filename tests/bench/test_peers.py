"""`bench/peers.py`, `bench/peer` and its lock: what is measured is what its makers recommend, and no bad release."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
peers: Any = importlib.import_module("peers")
cases: Any = importlib.import_module("cases")
candidates: Any = importlib.import_module("candidates")


@pytest.fixture
def litellm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Not started; its environment is pretended to be there."""
    monkeypatch.setattr(peers.LiteLLM, "python", Path("/bin/sh"))
    (tmp_path / "home").mkdir()
    return peers.LiteLLM(tmp_path / "home", 4711, "upstream-key", 0)


def test_lock_is_pinned_and_hashed() -> None:
    """Every requirement has one version and hashes; the compromised 1.107.0 and its kin are not in it."""
    text = (BENCH / "litellm.lock").read_text()
    pins = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.M)
    assert len(pins) > 50 and text.count("--hash=sha256:") >= len(pins)
    (version,) = [version for name, version in pins if name == "litellm"]
    assert not version.startswith("1.107.") and "!=1.107.*" in (BENCH / "litellm.in").read_text()


def test_its_configuration(litellm: Any) -> None:
    """It forwards to the bench's upstream as an OpenAI-compatible provider, without retries or debugging."""
    command = litellm.command()
    config = json.loads((litellm.folder / "config.yaml").read_text())
    (model,) = config["model_list"]
    assert model["model_name"] == "gpt-bench" and model["litellm_params"] == {
        "model": "openai/gpt-bench",
        "api_base": "http://127.0.0.1:4711/v1",
        "api_key": "upstream-key",
    }
    assert config["litellm_settings"]["set_verbose"] is False and config["litellm_settings"]["request_timeout"] == 600
    assert command[command.index("--num_workers") + 1] == "1"


def test_its_environment(litellm: Any) -> None:
    """Production mode, errors only, a master key that starts as it must, and nothing of the caller's environment."""
    environment = litellm.environment()
    assert environment["LITELLM_MODE"] == "PRODUCTION" and environment["LITELLM_LOG"] == "ERROR"
    assert environment["LITELLM_MASTER_KEY"] == litellm.caller_key and litellm.caller_key.startswith("sk-")
    assert set(environment) - {"PATH", "HOME", "LANG"} == {name for name in environment if name.startswith("LITELLM_")}


def test_without_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that makes it is named."""
    monkeypatch.setattr(peers.LiteLLM, "python", tmp_path / "nothing")
    with pytest.raises(candidates.StartError, match="bench/peer litellm"):
        peers.LiteLLM(tmp_path, 1, "k", 0).command()


def test_lighter_load(litellm: Any) -> None:
    """Fewer streams stay evenly out of step, and load and upstream agree on the number of chunks."""
    paced = cases.fitted(cases.cases(2.0)["paced"], litellm)
    assert paced.options["connections"] == 4 and paced.options["spread_us"] == 5000
    assert paced.options["chunks"] == paced.marker["chunks"] == 150
    saturated = cases.fitted(cases.cases(2.0)["saturated"], litellm)
    assert saturated.options["chunks"] == saturated.marker["chunks"] == 100


def test_ordinary_load() -> None:
    """For the others, 100 streams 200 microseconds apart."""
    paced = cases.fitted(cases.cases(2.0)["paced"], candidates.Direct(Path("/nowhere"), 1, "k", 0))
    assert paced.options["connections"] == 100 and paced.options["spread_us"] == 200


def test_an_unknown_peer() -> None:
    """The known ones are listed."""
    command = [str(BENCH / "peer"), "foo"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 2 and 'no other gateway "foo"' in done.stderr and "known: litellm" in done.stderr
