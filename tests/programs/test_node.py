"""The makers' packages for Node.js and the Vercel AI SDK in front of providers of other wires."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.clients.site import Site
from tests.support.node import NODE

TEXT = "Hello word.1 word.2 word.3"
PAIRS = {
    "chat": ("messages", "gemini", "cohere"),
    "responses": ("chat", "messages", "mistral"),
    "messages": ("chat", "gemini", "ollama"),
    "gemini": ("chat", "messages", "responses"),
    "vercel-chat": ("messages", "gemini"),
    "vercel-responses": ("chat", "gemini"),
    "vercel-messages": ("chat", "responses"),
    "vercel-gemini": ("chat", "messages"),
}
UNKNOWN = {"gemini": "ApiError"}  # its only class


@pytest.mark.node
@pytest.mark.parametrize("flavour", PAIRS)
def test_a_package(flavour: str, packages: Path, many: Site, tmp_path: Path) -> None:
    """Text, streams, a tool and its result, an object by schema, counting, the class of an error."""
    words = [word for wire in PAIRS[flavour] for word in (flavour, f"{wire}/fake")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ENCKE_URL": many.root, "ENCKE_KEY": many.key}
    command = [str(NODE), "sdks.mjs", *words]
    done = subprocess.run(command, cwd=packages, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert len(told) == len(PAIRS[flavour])
    for pair, found in told.items():
        assert (found["text"], found["streamed"]) == (TEXT, TEXT), pair
        assert found["tools"].startswith("Told: ") and "warm in Rome" in found["tools"], pair
        assert found.get("object", "Rome") == "Rome" and found.get("counted", True) is True, pair
        assert found.get("unknown", "NotFoundError") in ("NotFoundError", UNKNOWN.get(flavour)), pair
