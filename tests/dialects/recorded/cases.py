"""Which recordings are played, and what is asked for them."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from encke.testing import replay
from encke.testing.replay import Exchange
from tests.dialects.grammar import chat as chat_grammar
from tests.dialects.grammar import generate as generate_grammar
from tests.dialects.grammar import messages as messages_grammar
from tests.dialects.grammar import responses as responses_grammar
from tests.dialects.grammar.book import Book
from tests.dialects.wires import chat, cohere, generate, messages, ollama, responses
from tests.dialects.wires.facts import Facts
from tests.support import recordings

# The recordings' name of a wire: the operation, and who reads it by hand.
APIS: dict[str, tuple[str, Any]] = {
    "openai.chat": ("chat", chat),
    "openai.responses": ("responses", responses),
    "anthropic.messages": ("messages", messages),
    "google.generateContent": ("generate", generate),
    "mistral.chat": ("mistral_chat", chat),
    "cohere.chat_v2": ("cohere_chat", cohere),
    "ollama.chat": ("ollama_chat", ollama),
}
# Callers' routes: who reads their answers by hand.
ROUTES: dict[str, Any] = {"chat": chat, "responses": responses, "messages": messages, "generate": generate}

MODEL = "test-model"
_HELLO = [{"role": "user", "content": "Hello"}]
# The least that a caller asks: the path after the route's, and the body without `stream`.
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("", {"model": MODEL, "messages": _HELLO}),
    "responses": ("", {"model": MODEL, "input": "Hello"}),
    "messages": ("", {"model": MODEL, "max_tokens": 64, "messages": _HELLO}),
    "generate": (f"{MODEL}:generateContent", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
}
STREAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("", {"stream": True, "stream_options": {"include_usage": True}}),
    "responses": ("", {"stream": True}),
    "messages": ("", {"stream": True}),
    "generate": (f"{MODEL}:streamGenerateContent?alt=sse", {}),
    "array": (f"{MODEL}:streamGenerateContent", {}),
}


@dataclass(frozen=True)
class Case:
    """An exchange on the wire of operation `op`."""

    exchange: Exchange
    op: str

    @property
    def id(self) -> str:
        return self.exchange.id

    @property
    def name(self) -> str:
        return f"{self.exchange.provider} {self.exchange.api} {self.id}"

    def facts(self) -> Facts:
        """What its answer says, read by hand. Raises what its reader raises for one that makes no sense."""
        reader = APIS[self.exchange.api][1]
        facts: Facts = reader.stream(self.exchange.body) if self.exchange.stream else reader.whole(self.exchange.body)
        return facts


@lru_cache(maxsize=1)
def everything() -> tuple[Case, ...]:
    """All of them."""
    folder = recordings.folder()
    return tuple(Case(one, op) for api, (op, _) in APIS.items() for one in replay.recorded(folder, api=api))


def sampled(step: int) -> list[Case]:
    """One of so many, always the same ones: chosen by a hash of their ids."""
    return [case for case in everything() if zlib.crc32(case.id.encode()) % step == 0]


def answers(step: int, skipped: Counter[str]) -> Iterator[tuple[Case, Facts]]:
    """Answers that are no errors, with what they say; what is left out is counted with the reason."""
    for case in sampled(step):
        exchange = case.exchange
        if exchange.status != 200:
            skipped["errors (read as such elsewhere)"] += 1
        elif exchange.record["request"] and exchange.record["request"].get("method") == "GET":
            skipped["answers to a GET: asked for later by their id"] += 1
        elif str((exchange.record["request"] or {}).get("path")).endswith("/compact"):
            skipped["another operation: a conversation made shorter"] += 1
        elif exchange.record["response"]["body_encoding"] != "utf-8" or not exchange.body.strip():
            skipped["no body"] += 1
        else:
            try:
                facts = case.facts()
            except (ValueError, KeyError, TypeError, AttributeError):
                skipped["answers that are not of their wire"] += 1
                continue
            yield case, facts


def streamed(case: Case) -> bytes:
    """A stream's body as it is asked for: Gemini's as events, also where an array was recorded."""
    body = case.exchange.body
    if case.op != "generate" or not body.lstrip().startswith(b"["):
        return body
    return b"".join(b"data: %b\n\n" % json.dumps(value).encode() for value in json.loads(body))


def grammar(route: str, data: bytes, usage: bool | None = None) -> Book:
    """What the checker of a caller's stream says."""
    if route == "chat":
        return chat_grammar.check(data, usage=usage)
    if route == "array":
        return generate_grammar.check_array(data)
    if route == "responses":
        return responses_grammar.check(data)
    return messages_grammar.check(data) if route == "messages" else generate_grammar.check(data)


def read_stream(route: str, data: bytes) -> Facts:
    """What a caller's stream says, read by hand."""
    facts: Facts = ROUTES["generate" if route == "array" else route].stream(data)
    return facts
