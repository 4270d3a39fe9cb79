"""Every recorded answer with vectors, and every count of tokens, for the callers of each dialect that asks for them."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from encke.core.chat import CountReply
from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.traits import PLAIN
from encke.dialects.port import EMBED
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.testing import replay
from encke.testing.replay import Exchange
from tests.conftest import Count
from tests.dialects.recorded.drive import CALL_ID, CREATED
from tests.support import recordings

pytestmark = pytest.mark.recordings
APIS = {
    "openai.embeddings": "embeddings",
    "mistral.embeddings": "mistral_embed",
    "cohere.embed": "cohere_embed",
    "voyage.embeddings": "voyage_embed",
    "ollama.embed": "ollama_embed",
}
COUNTS = {"anthropic.count_tokens": "count_tokens", "google.countTokens": "google_count"}
HELLO = {"parts": [{"text": "Hello"}]}
# How callers ask: the route, the path after it, and the body.
ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "floats": ("embeddings", "", {"model": "any", "input": ["Hello"]}),
    "base64": ("embeddings", "", {"model": "any", "input": "Hello", "encoding_format": "base64"}),
    "single": ("embed_content", "any:embedContent", {"content": HELLO}),
    "batch": ("batch_embed", "any:batchEmbedContents", {"requests": [{"model": "models/any", "content": HELLO}]}),
}


def op_of(one: Exchange) -> str:
    """Google has two operations, told apart by their answers."""
    if one.api != "google.embed":
        return APIS[one.api]
    return "embed_content" if b'"embedding"' in one.body else "batch_embed"


def vectors(value: dict[str, Any]) -> list[list[float]]:
    """The vectors of an answer on any wire, read by hand; without those that are no numbers."""
    if "data" in value:
        return [_floats(item["embedding"]) for item in sorted(value["data"], key=lambda item: item.get("index", 0))]
    if "embedding" in value:
        return [value["embedding"]["values"]]
    found = value["embeddings"]
    if isinstance(found, dict):
        return list(found.get("float") or [])
    return [item["values"] if isinstance(item, dict) else item for item in found]


def _floats(value: Any) -> list[float]:
    if isinstance(value, list):
        return [float(number) for number in value]
    data = base64.b64decode(value)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def same(one: list[list[float]], other: Any) -> bool:
    """To the exactness of a 32-bit float."""
    return len(one) == len(other) and all(
        len(a) == len(b) and all(math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) for x, y in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def exchanges(apis: Any) -> Iterator[Exchange]:
    """The good ones of these wires."""
    for api in apis:
        for one in replay.recorded(recordings.folder(), api=api):
            if one.status == 200 and b'"has_more"' not in one.body:
                yield one


def read(route: str, target: str, body: dict[str, Any]) -> Any:
    """A caller's request."""
    return CLIENTS[route].read(json.dumps(body).encode(), target, {})


def test_vectors_are_the_same_for_every_caller(count: Count) -> None:
    """As floats, as base64, one or a batch of Gemini's; usage where it is told."""
    seen: Counter[str] = Counter()
    for one in exchanges([*APIS, "google.embed"]):
        expected, op = vectors(json.loads(one.body)), op_of(one)
        if not all(map(math.isfinite, [number for vector in expected for number in vector])):
            continue  # base64 that the recording has cut off
        asked = EmbedRequest(model="any", inputs=tuple("x" for _ in expected))
        reply = PROVIDERS[op].read_reply(one.body, asked, CALL_ID)
        assert isinstance(reply, EmbedReply) and same(expected, reply.vectors), one.id
        for name, (route, target, body) in ASKED.items():
            if name == "single" and len(expected) != 1:
                continue
            told = json.loads(CLIENTS[route].render_reply(reply, read(route, target, body), CALL_ID, CREATED))
            assert same(expected, vectors(told)), (one.id, name)
            if route == "embeddings":
                assert all(isinstance(item["embedding"], str) == (name == "base64") for item in told["data"])
                assert told["usage"]["prompt_tokens"] == (reply.usage.total_input if reply.usage else 0)
        seen[f"{one.provider} {op}"] += 1
    assert seen.total() > 100
    count(f"answers with vectors, for callers of {len(ASKED)} forms: {dict(seen)}")


def test_recorded_requests_ask_every_provider(count: Count) -> None:
    """All inputs reach every wire, in their order; what a wire has no word for is named."""
    asked = 0
    dropped: Counter[str] = Counter()
    for one in exchanges(["openai.embeddings", "google.embed"]):
        body, record = one.request_body, one.record["request"]
        if body is None or record.get("method") == "GET" or "predict" in record["path"]:
            continue
        route = "embeddings" if one.api == "openai.embeddings" else op_of(one)
        target = record["path"].rpartition("/")[2] if route != "embeddings" else ""
        try:
            hub = CLIENTS[route].to_hub(read(route, target, body))
        except Fault as fault:
            assert "must be a text" in fault.message and "inline" in json.dumps(body), fault
            continue
        assert isinstance(hub, EmbedRequest)
        texts = [text for text in hub.inputs if isinstance(text, str)]
        for op, side in PROVIDERS.items():
            if side.kind != EMBED:
                continue
            try:
                rendered = side.render(hub, "other", PLAIN)
            except Fault as fault:
                # One input only, where there are more; tokens, where only texts are taken.
                assert fault.param and fault.status == 400 and (len(hub.inputs) > 1 or len(texts) < len(hub.inputs)), (
                    one.id
                )
                continue
            sent = json.loads(rendered.body)
            found = [leaf for leaf in _leaves(sent) if leaf in texts]
            assert found == texts or not texts, (one.id, op, found)
            dropped.update(f"{op}: {name}" for name in rendered.dropped)
            asked += 1
    assert asked > 100
    count(f"requests for vectors on every wire: {asked}; left out and named: {dict(dropped)}")


def _leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [leaf for item in inner for leaf in _leaves(item)]


def test_counts_are_told_both_ways(count: Count) -> None:
    """A count of Anthropic's for Gemini's callers, and the other way."""
    seen: Counter[str] = Counter()
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "count_tokens": ("", {"model": "any", "messages": [{"role": "user", "content": "Hello"}]}),
        "google_count": ("any:countTokens", {"contents": [{"role": "user", **HELLO}]}),
    }
    for one in exchanges(COUNTS):
        value = json.loads(one.body)
        expected = value.get("input_tokens", value.get("totalTokens"))
        side = PROVIDERS[COUNTS[one.api]]
        for route, (target, body) in asked.items():
            request = read(route, target, body)
            reply = side.read_reply(one.body, CLIENTS[route].to_hub(request), CALL_ID)
            assert isinstance(reply, CountReply) and reply.tokens == expected and not reply.estimated
            told = json.loads(CLIENTS[route].render_reply(reply, request, CALL_ID, CREATED))
            assert told["input_tokens" if route == "count_tokens" else "totalTokens"] == expected
        seen[one.api] += 1
    assert seen.total() > 20
    count(f"counts of tokens: {dict(seen)}")
