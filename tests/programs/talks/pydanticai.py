"""pydantic-ai with its models of three makers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anthropic import AsyncAnthropic
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from talk import HELLO, KEY, OBJECT, ROOT, TOOL, tell, weather


class Place(BaseModel):
    """What is asked for by schema."""

    city: str


def acts(llm: Any) -> dict[str, Callable[[], Any]]:
    """What an agent does with any model."""

    def streamed() -> str:
        events = Agent(llm).run_stream_sync(HELLO)
        return "".join(events.stream_text(delta=True))

    return {
        "text": lambda: Agent(llm).run_sync(HELLO).output,
        "streamed": streamed,
        "tools": lambda: Agent(llm, tools=[weather]).run_sync(TOOL).output,
        "object": lambda: Agent(llm, output_type=Place).run_sync(OBJECT).output.city,
    }


def openai() -> Any:
    """Where the gateway is."""
    return OpenAIProvider(base_url=f"{ROOT}/v1", api_key=KEY)


def chat(model: str) -> dict[str, Callable[[], Any]]:
    """OpenAI's chat completions."""
    return acts(OpenAIChatModel(model, provider=openai()))


def responses(model: str) -> dict[str, Callable[[], Any]]:
    """OpenAI's Responses."""
    return acts(OpenAIResponsesModel(model, provider=openai()))


def messages(model: str) -> dict[str, Callable[[], Any]]:
    """Anthropic's Messages."""
    # A client of our own: given only an address, it makes one with httpx, which newer ones of Anthropic's refuse.
    client = AsyncAnthropic(base_url=ROOT, api_key=KEY)
    return acts(AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client)))


def gemini(model: str) -> dict[str, Callable[[], Any]]:
    """Gemini."""
    return acts(GoogleModel(model, provider=GoogleProvider(base_url=ROOT, api_key=KEY)))


tell({"chat": chat, "responses": responses, "messages": messages, "gemini": gemini})
