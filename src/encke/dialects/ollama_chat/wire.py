"""The shapes of Ollama's chat that the gateway reads. A stream is lines of `Line`; a whole answer is one of them.

Source: Ollama's API reference (docs.ollama.com/api/chat, docs.ollama.com/api/errors) and the types of its server
(`api.ChatResponse`) and of its Python library.
"""

from __future__ import annotations

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw(b"")


class Function(msgspec.Struct):
    """Of a tool call. `arguments` is an object."""

    name: str | None = None
    arguments: msgspec.Raw = NOTHING


class Call(msgspec.Struct):
    """A tool call, always whole. Servers older than November 2025 give it no id."""

    id: str | None = None
    function: Function | None = None


class Message(msgspec.Struct):
    """The message, or in a stream what is new of it."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class TopLogprob(msgspec.Struct):
    """A token that might have been."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    """A token that was written."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


class Line(msgspec.Struct):
    """A line. The last has `done`."""

    model: str | None = None
    message: Message | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[Logprob] | None = None
    error: msgspec.Raw = NOTHING


class EmbedAnswer(msgspec.Struct):
    """Embeddings."""

    embeddings: tuple[tuple[float, ...], ...]
    model: str | None = None
    prompt_eval_count: int | None = None
