"""Beside chat: vectors and counts of tokens, asked in any form and answered by anybody; and streams however they are
cut."""

from __future__ import annotations

import json
from typing import Any

from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.traits import PLAIN
from encke.core.usage import Usage
from encke.dialects.port import COUNT, EMBED
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.dialects.translate import Translator
from tests.dialects.recorded.drive import CALL_ID, CREATED, asked, play, side_of
from tests.fuzz.bits import Bits
from tests.fuzz.hub import NAMES, OPS, is_told

_HELLO: dict[str, Any] = {"parts": [{"text": "Hello"}]}
# What callers ask: the path after the route's own, and a body.
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "embeddings": ("", {"model": "any", "input": "Hello", "encoding_format": "base64"}),
    "embed_content": ("any:embedContent", {"content": _HELLO}),
    "batch_embed": ("any:batchEmbedContents", {"requests": [{"model": "models/any", "content": _HELLO}]}),
    "count_tokens": ("", {"model": "any", "messages": [{"role": "user", "content": "Hello"}]}),
    "google_count": ("any:countTokens", {"contents": [{"role": "user", **_HELLO}]}),
}
ROUTES = tuple(ASKED)
KINDS = {kind: tuple(sorted(op for op, side in PROVIDERS.items() if side.kind == kind)) for kind in (EMBED, COUNT)}


def vectors(data: bytes) -> None:
    """Only Faults of the caller's; what is read is asked of every provider as JSON."""
    bits = Bits(data)
    side = CLIENTS[ROUTES[bits.number(len(ROUTES))]]
    ops = KINDS[side.kind]
    op = ops[bits.number(len(ops))]
    try:
        hub = side.to_hub(side.read(bits.rest, ASKED[side.route][0], {}))
        rendered = PROVIDERS[op].render(hub, "other/model", PLAIN)
    except Fault as fault:
        assert 400 <= fault.status < 500, fault
        is_told(fault)
        return
    assert isinstance(json.loads(rendered.body), dict)


def vector_answer(data: bytes) -> None:
    """Only Faults; what is read is told in every form, with as many vectors as were asked for."""
    bits = Bits(data)
    side = CLIENTS[ROUTES[bits.number(len(ROUTES))]]
    ops = KINDS[side.kind]
    target, body = ASKED[side.route]
    request = side.read(json.dumps(body).encode(), target, {})
    hub = side.to_hub(request)
    try:
        reply = PROVIDERS[ops[bits.number(len(ops))]].read_reply(bits.rest, hub, CALL_ID)
        told = json.loads(side.render_reply(reply, request, CALL_ID, CREATED))
    except Fault as fault:
        is_told(fault)
        return
    assert isinstance(told, dict)
    if isinstance(reply, EmbedReply) and isinstance(hub, EmbedRequest):
        assert len(reply.vectors) == len(hub.inputs)
        is_sum(reply.usage)


def cuts(data: bytes) -> None:
    """A stream says the same however its bytes come, and its usage is counts that add up."""
    bits = Bits(data)
    op, route = OPS[bits.number(len(OPS))], NAMES[bits.number(len(NAMES))]
    sizes = [1 + bits.number(40) for _ in range(3)]
    side, provider, request = side_of(route), PROVIDERS[op], asked(route, stream=True)
    hub, lines = side.to_hub(request), PROVIDERS[op].framing == "json_lines"

    def told(cut: list[int] | None) -> tuple[bytes, str]:
        tap = Translator(provider.reader(hub, CALL_ID), side.writer(request, CALL_ID, CREATED))
        made = play(bits.rest, tap, side, cut, lines=lines)
        is_sum(tap.usage)
        return made.out, str(made.fault)

    assert told(None) == told([1]) == told(sizes)


def is_sum(usage: Usage | None) -> None:
    """No bucket is negative: what they hold is what was read and written."""
    if usage is not None:
        assert all(getattr(usage, name) >= 0 for name in usage.__struct_fields__), usage
