"""LangChain with its integrations of three makers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr
from talk import HELLO, KEY, OBJECT, ROOT, TOOL, embeds, tell, weather


class Place(BaseModel):
    """What is asked for by schema."""

    city: str


def acts(llm: Any) -> dict[str, Callable[[], Any]]:
    """What every chat model of LangChain does."""

    def tools() -> Any:
        bound = llm.bind_tools([tool(weather)])
        turns: list[Any] = [HumanMessage(TOOL)]
        turns.append(bound.invoke(turns))
        call = turns[-1].tool_calls[0]
        turns.append(ToolMessage(weather(**call["args"]), tool_call_id=call["id"], name=call["name"]))
        return bound.invoke(turns).text

    return {
        "text": lambda: llm.invoke(HELLO).text,
        "streamed": lambda: "".join(chunk.text for chunk in llm.stream(HELLO)),
        "usage": lambda: llm.invoke(HELLO).usage_metadata["output_tokens"],
        "tools": tools,
        "object": lambda: llm.with_structured_output(Place).invoke(OBJECT).city,
    }


def chat(model: str) -> dict[str, Callable[[], Any]]:
    """ChatOpenAI on chat completions, and embeddings."""
    llm = ChatOpenAI(model=model, base_url=f"{ROOT}/v1", api_key=SecretStr(KEY), max_retries=0, use_responses_api=False)
    # Texts, not numbers of tokens, which only OpenAI's own models understand.
    made = OpenAIEmbeddings(
        model=model, base_url=f"{ROOT}/v1", api_key=SecretStr(KEY), check_embedding_ctx_length=False, max_retries=0
    )
    return {**acts(llm), "embedding": lambda: made.embed_query("a") if embeds(model) else None}


def responses(model: str) -> dict[str, Callable[[], Any]]:
    """ChatOpenAI on Responses."""
    llm = ChatOpenAI(model=model, base_url=f"{ROOT}/v1", api_key=SecretStr(KEY), max_retries=0, use_responses_api=True)
    return acts(llm)


def messages(model: str) -> dict[str, Callable[[], Any]]:
    """ChatAnthropic."""
    return acts(ChatAnthropic(model_name=model, base_url=ROOT, api_key=SecretStr(KEY), max_retries=0))


def gemini(model: str) -> dict[str, Callable[[], Any]]:
    """ChatGoogleGenerativeAI."""
    return acts(ChatGoogleGenerativeAI(model=model, base_url=ROOT, api_key=SecretStr(KEY), max_retries=0))


tell({"chat": chat, "responses": responses, "messages": messages, "gemini": gemini})
