"""instructor around three makers' clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import instructor
import openai
from google import genai
from pydantic import BaseModel
from talk import KEY, OBJECT, ROOT, tell


class Place(BaseModel):
    """What is asked for by schema."""

    city: str


def acts(client: Any, model: str, **more: Any) -> dict[str, Callable[[], Any]]:
    """An object."""
    messages = [{"role": "user", "content": OBJECT}]
    given = {"model": model, "messages": messages, "response_model": Place, "max_retries": 0, **more}
    return {"object": lambda: client.create(**given).city}


def chat(model: str) -> dict[str, Callable[[], Any]]:
    """A demanded tool on chat completions."""
    return acts(instructor.from_openai(openai.OpenAI(base_url=f"{ROOT}/v1", api_key=KEY)), model)


def messages(model: str) -> dict[str, Callable[[], Any]]:
    """A demanded tool on Messages."""
    return acts(instructor.from_anthropic(anthropic.Anthropic(base_url=ROOT, api_key=KEY)), model, max_tokens=1000)


def gemini(model: str) -> dict[str, Callable[[], Any]]:
    """A schema of Gemini's."""
    client = genai.Client(api_key=KEY, http_options={"base_url": ROOT})
    return acts(instructor.from_genai(client), model)


tell({"chat": chat, "messages": messages, "gemini": gemini})
