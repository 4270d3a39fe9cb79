"""A gateway before an upstream that answers with recorded exchanges: which one, the model's name says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from encke.testing import wire
from encke.testing.replay import Exchange, event_sizes
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from tests.clients.wires import providers
from tests.dialects.recorded.cases import Case, streamed
from tests.support.gateway import Gateway

# The operation of a recording, and the provider (`wires.WIRES`) that speaks it.
WIRE_OF = {
    "chat": "chat",
    "responses": "responses",
    "messages": "messages",
    "generate": "gemini",
    "mistral_chat": "mistral",
    "cohere_chat": "cohere",
    "ollama_chat": "ollama",
    "embeddings": "chat",
    "mistral_embed": "mistral",
    "cohere_embed": "cohere",
    "voyage_embed": "voyage",
    "ollama_embed": "ollama",
    "embed_content": "gemini",
    "batch_embed": "gemini",
    "count_tokens": "messages",
    "google_count": "gemini",
}
# Each answer once, as it is: no second try, no provider that is left out because others of its answers were failures.
SETTINGS = {"local": {"enabled": False}, "routing": {"retries": 0, "breaker": "off"}}
UNKNOWN = wire.http_response(404, [], b'{"error":{"message":"no such recording"}}')


@dataclass(frozen=True)
class Replay:
    """The gateway's address without `/v1`, a key of it, and the address of the upstream behind it."""

    root: str
    key: str
    upstream: str

    def model(self, case: Case) -> str:
        """The model whose answer is this recording."""
        return f"{WIRE_OF[case.op]}/{case.id}"


@contextmanager
def replay(folder: Path, found: Iterable[Case]) -> Iterator[Replay]:
    """Answer with these, as they are asked for by id."""
    known = {case.id: case for case in found}

    def answer(request: Request) -> Script:
        case = known.get(request.model or "")
        return Script([Send(UNKNOWN if case is None else response(case))], name=f"replay {request.model}")

    with FakeUpstream(answer, keep_body=0) as upstream:
        settings = {"providers": providers(upstream.url), **SETTINGS}
        with Gateway(folder, settings) as gateway:
            yield Replay(gateway.base_url.removesuffix("/v1"), gateway.key, upstream.url)


def response(case: Case) -> bytes:
    """The raw HTTP response. Gemini's streams are asked for as events, also where an array was recorded."""
    exchange, body = case.exchange, streamed(case)
    if not exchange.stream or body == exchange.body:
        return exchange.response()
    return raw(exchange, body)


def raw(exchange: Exchange, body: bytes) -> bytes:
    """A stream of events with the head of an exchange whose body is another."""
    headers = [(name, value) for name, value in exchange.headers if name.lower() != "content-type"]
    head = wire.head(exchange.status, [*headers, ("content-type", "text/event-stream"), wire.CHUNKED])
    return head + wire.chunked(body, event_sizes(body))
