"""LlamaIndex with its model for servers that speak as OpenAI does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel
from talk import HELLO, KEY, OBJECT, ROOT, TOOL, embeds, tell, weather


class Place(BaseModel):
    """What is asked for by schema."""

    city: str


def chat(model: str) -> dict[str, Callable[[], Any]]:
    """Whole, streamed, tools, an object, embeddings."""
    llm = OpenAILike(
        model=model,
        api_base=f"{ROOT}/v1",
        api_key=KEY,
        max_retries=0,
        is_chat_model=True,
        is_function_calling_model=True,
    )
    made = OpenAILikeEmbedding(model_name=model, api_base=f"{ROOT}/v1", api_key=KEY, max_retries=0)

    def tools() -> Any:
        called: Any = llm.predict_and_call([FunctionTool.from_defaults(weather)], user_msg=TOOL)
        return str(called)

    return {
        "text": lambda: llm.chat([ChatMessage(HELLO)]).message.content,
        "streamed": lambda: "".join(str(chunk.delta) for chunk in llm.stream_chat([ChatMessage(HELLO)])),
        "tools": tools,
        "object": lambda: llm.as_structured_llm(Place).chat([ChatMessage(OBJECT)]).raw.city,
        "embedding": lambda: made.get_text_embedding("a") if embeds(model) else None,
    }


tell({"chat": chat})
