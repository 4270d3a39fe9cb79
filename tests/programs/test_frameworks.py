"""LangChain, LlamaIndex, pydantic-ai and instructor, with each maker's dialect, in front of other wires."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from encke.testing.wires.side import vector
from tests.clients.site import Site
from tests.programs.conftest import environment

TALKS = Path(__file__).parent / "talks"
TEXT = "Hello word.1 word.2 word.3"
# What each script speaks, and to which wires.
PAIRS: dict[str, list[tuple[str, str]]] = {
    "langchain": [
        *(("chat", wire) for wire in ("messages", "gemini", "mistral")),
        *(("responses", wire) for wire in ("chat", "messages")),
        *(("messages", wire) for wire in ("chat", "responses", "mistral")),
        *(("gemini", wire) for wire in ("chat", "messages", "cohere")),
    ],
    "llamaindex": [("chat", wire) for wire in ("chat", "messages", "gemini", "cohere")],
    "pydanticai": [
        *(("chat", wire) for wire in ("messages", "gemini")),
        *(("responses", wire) for wire in ("messages", "gemini")),
        *(("messages", wire) for wire in ("chat", "gemini")),
        *(("gemini", wire) for wire in ("chat", "messages")),
    ],
    "instruct": [
        *(("chat", wire) for wire in ("messages", "gemini")),
        *(("messages", wire) for wire in ("chat", "gemini")),
        *(("gemini", wire) for wire in ("chat", "messages")),
    ],
}


# Where each is installed, if it is not a place of its own.
PLACES = {"langchain": "frameworks", "llamaindex": "frameworks"}


@pytest.mark.parametrize("name", PAIRS)
def test_a_framework(name: str, many: Site, tmp_path: Path) -> None:
    """Text, streams, a tool and its result, an object by schema, embeddings."""
    pairs = [word for flavour, wire in PAIRS[name] for word in (flavour, f"{wire}/fake")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ENCKE_URL": many.root, "ENCKE_KEY": many.key}
    python = environment(PLACES.get(name, name)) / "bin/python"
    command = [str(python), str(TALKS / f"{name}.py"), *pairs]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == len(PAIRS[name])
    for pair, found in told.items():
        _check(pair, found)


def _check(pair: str, found: dict[str, Any]) -> None:
    assert found["object"] == "Rome", pair
    for kind in ("text", "streamed"):
        assert found.get(kind, TEXT) == TEXT, (pair, kind)
    assert found.get("usage", 4) == 4, pair
    assert "warm in Rome" in found.get("tools", "warm in Rome"), pair
    if found.get("embedding"):
        assert found["embedding"] == pytest.approx(vector("a")), pair
