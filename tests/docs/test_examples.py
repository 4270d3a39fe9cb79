"""Every example in the documentation does what it is there for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from encke.compose import compose
from encke.config.build import Builder
from tests.docs.pages import DATA, PROGRAMS, Block, blocks
from tests.support.gateway import Gateway
from tests.support.node import NODE, install_packages

SECONDS = 120
BLOCKS = blocks()
RUN = [block for block in BLOCKS if block.mark == "run"]
# The variables that examples of settings read.
VARIABLES = dict.fromkeys(("OPENAI_API_KEY", "OPENROUTER_API_KEY", "MY_OPENROUTER_KEY"), "sk-example")
VARIABLES |= {"OPENAI_KEY_A": "sk-example-a", "OPENAI_KEY_B": "sk-example-b"}
VARIABLES |= dict.fromkeys(
    ("AZURE_OPENAI_API_KEY", "AZURE_WEST_KEY", "CLOUDFLARE_API_TOKEN", "GEMINI_API_KEY", "LAB_KEY"), "sk-example"
)
VARIABLES |= dict.fromkeys(("LITELLM_KEY", "VLLM_KEY", "COHERE_API_KEY"), "sk-example")


def named(found: list[Block]) -> list[object]:
    """Parameters with readable ids; JavaScript is marked as what needs Node.js."""
    marks = {"js": [pytest.mark.node]}
    return [pytest.param(block, id=block.name, marks=marks.get(block.language, [])) for block in found]


def test_every_block_is_marked() -> None:
    """No example stands there that neither is run nor says that it is not."""
    for block in BLOCKS:
        if block.language in PROGRAMS:
            assert block.mark in ("run", "no-run"), block.name
        else:
            assert block.language in (*DATA, "text", ""), block.name
    assert {block.language for block in RUN} == set(PROGRAMS)


@pytest.mark.parametrize("block", named(RUN))
def test_the_example_runs(block: Block, gateway: Gateway, tmp_path: Path) -> None:
    """Against a gateway; where the page asks the embedded model, a fake provider answers in its place."""
    text = block.text.replace('"local"', '"lab/fake"').replace("/models/local", "/models/lab/fake")
    check_output(block, run(block.language, text, gateway, tmp_path))


@pytest.mark.model
@pytest.mark.parametrize("block", named([block for block in RUN if block.page.name in ("quickstart.md", "chat.md")]))
def test_the_example_runs_with_the_embedded_model(block: Block, home: Gateway, tmp_path: Path) -> None:
    """As it stands in the page, and the real model answers."""
    check_output(block, run(block.language, block.text, home, tmp_path))


def run(language: str, text: str, gateway: Gateway, folder: Path) -> str:
    """Run a program as its reader would; what it printed. Fails if it failed or complained."""
    environ = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ |= {"ENCKE_BASE_URL": gateway.base_url, "ENCKE_API_KEY": gateway.key}
    environ |= {"ENCKE_DATA": str(gateway.data), "ENCKE_CONFIG": str(gateway.config)}
    suffix = {"bash": "sh", "python": "py", "js": "mjs"}[language]
    program = folder / f"example.{suffix}"
    program.write_text(text, "utf-8")
    command = {"bash": ["bash", "-eu", "-o", "pipefail"], "python": [sys.executable, "-W", "error"], "js": [str(NODE)]}
    if language == "js":
        (folder / "node_modules").symlink_to(install_packages() / "node_modules")
    done = subprocess.run(
        [*command[language], str(program)], cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    if "encke keys" not in text:  # which tells on standard error what it prints on standard output
        assert done.stderr == ""
    return done.stdout


def check_output(block: Block, output: str) -> None:
    """It said something, and no error; a stream by curl came to its end, an answer by curl is JSON."""
    assert output.strip()
    assert '"error"' not in output
    if "curl" in block.text:
        if '"stream": true' in block.text:
            assert output.endswith("data: [DONE]\n\n")
        else:
            assert {"choices", "data", "object", "models"} & set(json.loads(output))
    if "include_usage" in block.text:
        assert '"usage":{' in output


@pytest.mark.parametrize("block", named([block for block in BLOCKS if block.language == "json"]))
def test_json_is_json(block: Block) -> None:
    """What is shown as JSON can be read as JSON."""
    json.loads(block.text)


@pytest.mark.parametrize("block", named([block for block in BLOCKS if block.language == "toml"]))
def test_settings_are_accepted(block: Block, tmp_path: Path) -> None:
    """The gateway takes the example as its settings; one that names a file of the reader's own, all but that."""
    file = tmp_path / "encke.toml"
    file.write_text(block.text, "utf-8")
    if block.mark == "no-run":
        builder = Builder({}, tmp_path)
        builder.config(tomllib.loads(block.text), {}, tmp_path, None)
        assert not builder.problems
        return
    made = compose(str(file), {**VARIABLES, "ENCKE_DATA": str(tmp_path)})
    assert made.config.path == file
