"""What providers answer beside chats: embeddings, counts of tokens, lists of models."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable
from typing import Any

from encke.testing.polite import CREATED
from encke.testing.request import Request

Body = dict[str, Any]
SIZE = 8  # numbers in a vector, unless the request says


def vector(text: str, size: int = SIZE) -> list[float]:
    """Numbers that depend on the text alone and are exact in 32 bits."""
    digest = hashlib.shake_128(text.encode()).digest(size)
    return [(byte - 128) / 128 for byte in digest]


def _tokens(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _texts(given: object) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]


def _openai(request: Request) -> Body:
    body, texts = request.json, _texts(request.json.get("input"))
    vectors: list[Any] = [vector(text, body.get("dimensions") or SIZE) for text in texts]
    if body.get("encoding_format") == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{len(one)}f", *one)).decode() for one in vectors]
    data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)]
    used = {"prompt_tokens": _tokens(texts), "total_tokens": _tokens(texts)}
    return {"object": "list", "data": data, "model": request.model, "usage": used}


def _voyage(request: Request) -> Body:
    found = _openai(request)
    return {**found, "usage": {"total_tokens": found["usage"]["total_tokens"]}}


def _cohere(request: Request) -> Body:
    texts = _texts(request.json.get("texts") or [])
    size = request.json.get("output_dimension") or SIZE
    units = {"billed_units": {"input_tokens": _tokens(texts)}, "api_version": {"version": "2"}}
    embeddings = {"float": [vector(text, size) for text in texts]}
    return {"id": f"fake-{request.number}", "texts": texts, "embeddings": embeddings, "meta": units}


def _ollama(request: Request) -> Body:
    texts = _texts(request.json.get("input"))
    found = {"model": request.model, "embeddings": [vector(text) for text in texts]}
    return {**found, "total_duration": 1, "prompt_eval_count": _tokens(texts)}


def _part_texts(content: Any) -> str:
    return "".join(str(part.get("text", "")) for part in content.get("parts", []))


def _values(one: Body) -> Body:
    return {"values": vector(_part_texts(one["content"]), one.get("outputDimensionality") or SIZE)}


def _gemini(request: Request) -> Body:
    return {"embedding": _values(request.json)}


def _gemini_batch(request: Request) -> Body:
    return {"embeddings": [_values(one) for one in request.json["requests"]]}


def _count(request: Request) -> Body:
    return {"input_tokens": max(len(request.body) // 4, 1)}


def _gemini_count(request: Request) -> Body:
    count = max(len(request.body) // 4, 1)
    return {"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]}


def _models(request: Request) -> Body:
    if request.header("anthropic-version"):
        one = {"type": "model", "id": "fake", "display_name": "Fake", "created_at": "2026-01-01T00:00:00Z"}
        return {"data": [one], "has_more": False, "first_id": "fake", "last_id": "fake"}
    if request.header("x-goog-api-key") or "/v1beta/" in request.path:
        methods = ["generateContent", "countTokens"]
        return {"models": [{"name": "models/fake", "displayName": "Fake", "supportedGenerationMethods": methods}]}
    return {"object": "list", "data": [{"id": "fake", "object": "model", "created": CREATED, "owned_by": "encke"}]}


# Method, the end of the path, what has to be in it if anything, and the JSON of the answer.
_SIDES: tuple[tuple[str, str, str, Callable[[Request], Body]], ...] = (
    ("GET", "/models", "", _models),
    ("GET", "/api/tags", "", lambda _: {"models": [{"name": "fake", "model": "fake"}]}),
    ("POST", "/embeddings", "/voyage/", _voyage),
    ("POST", "/embeddings", "", _openai),
    ("POST", "/v2/embed", "", _cohere),
    ("POST", "/api/embed", "", _ollama),
    ("POST", ":embedContent", "", _gemini),
    ("POST", ":batchEmbedContents", "", _gemini_batch),
    ("POST", "/count_tokens", "", _count),
    ("POST", ":countTokens", "", _gemini_count),
)


def beside(request: Request) -> Body | None:
    """The JSON of the answer, or None if it is not one of these."""
    for method, end, part, reply in _SIDES:
        if request.method == method and request.path.endswith(end) and part in request.path:
            return reply(request)
    return None
