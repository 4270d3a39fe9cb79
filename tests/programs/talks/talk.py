"""What frameworks have in common here: where the gateway is, what is asked, and what is printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

ROOT = os.environ["ENCKE_URL"]
KEY = os.environ["ENCKE_KEY"]

HELLO = "Hello?"
# The fake upstream does as the prompt says.
TOOL = "behave: " + json.dumps({"calls": [{"name": "weather", "arguments": {"city": "Rome"}}]})
OBJECT = "behave: " + json.dumps({"content": json.dumps({"city": "Rome"}), "chunks": 1})


def weather(city: str) -> str:
    """How warm it is in a city."""
    return f"warm in {city}"


def embeds(model: str) -> bool:
    """Whether the provider has embeddings."""
    return not model.startswith(("messages/", "responses/"))


def tell(makers: dict[str, Callable[[str], dict[str, Callable[[], Any]]]]) -> None:
    """`script FLAVOUR MODEL [FLAVOUR MODEL …]`: do everything that each flavour can, and print it as JSON by both."""
    told = {}
    for flavour, model in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        told[f"{flavour} {model}"] = {name: act() for name, act in makers[flavour](model).items()}
    print(json.dumps(told))
