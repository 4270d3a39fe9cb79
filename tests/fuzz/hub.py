"""The hub's two ends: what callers ask of other dialects, and what providers answer, of whatever shape."""

from __future__ import annotations

import json
from typing import Any

from encke.core.chat import ChatReply, ChatRequest
from encke.core.faults import FAULTS, Fault
from encke.core.traits import PLAIN
from encke.dialects.port import CHAT, DROP, END, ERROR
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.dialects.translate import Translator
from tests.dialects.recorded.cases import ROUTES, grammar
from tests.dialects.recorded.drive import CALL_ID, CREATED, asked, side_of
from tests.dialects.recorded.losses import stands_for
from tests.fuzz.bits import Bits

NAMES = (*ROUTES, "array")
OPS = tuple(sorted(op for op, side in PROVIDERS.items() if side.kind == CHAT))
AS_IT_CAME = {
    "messages.tool_json", "chat.call_json", "chat.index", "generate.index", "generate.call_id", "messages.tool_id",
    "chat.call_id", "responses.call_id",
}  # fmt: skip
TARGETS = ("m:generateContent", "m:streamGenerateContent?alt=sse")


def ask(data: bytes) -> None:
    """Only Faults of the caller's; what is read is written for any wire as JSON, with names for what is dropped."""
    bits = Bits(data)
    route, op = tuple(ROUTES)[bits.number(len(ROUTES))], OPS[bits.number(len(OPS))]
    target = TARGETS[bits.number(2)] if route == "generate" else ""
    side = CLIENTS[route]
    try:
        hub = side.to_hub(side.read(bits.rest, target, {}))
        assert isinstance(hub, ChatRequest)
        rendered = PROVIDERS[op].render(hub, "other/model", PLAIN)
    except Fault as fault:
        assert 400 <= fault.status < 500, fault
        is_told(fault)
        return
    assert isinstance(json.loads(rendered.body), dict)
    assert all(stands_for(hub, name) for name in rendered.dropped), rendered.dropped


def answer(data: bytes) -> None:
    """Only Faults; what is read is written in any caller's dialect as JSON."""
    bits = Bits(data)
    op, route = OPS[bits.number(len(OPS))], tuple(ROUTES)[bits.number(len(ROUTES))]
    side, request = CLIENTS[route], asked(route)
    try:
        reply = PROVIDERS[op].read_reply(bits.rest, side.to_hub(request), CALL_ID)
    except Fault as fault:
        is_told(fault)
        return
    assert isinstance(reply, ChatReply)
    assert isinstance(json.loads(side.render_reply(reply, request, CALL_ID, CREATED)), dict)


def translate(data: bytes) -> None:
    """Whatever a provider streams: the caller's stream obeys its grammar, to its end or to a failure."""
    bits = Bits(data)
    op, route = OPS[bits.number(len(OPS))], NAMES[bits.number(len(NAMES))]
    side, request = side_of(route), asked(route, stream=True)
    provider = PROVIDERS[op]
    tap = Translator(provider.reader(side.to_hub(request), CALL_ID), side.writer(request, CALL_ID, CREATED))
    out, fault = b"", None
    for event in bits.rest.split(b"\n"):
        flags = tap.feed(event)
        out += tap.take()
        if flags & END:
            break
        if flags & ERROR:
            assert tap.fault is not None
            fault = tap.fault
            break
        assert not flags & DROP or tap.take() == b""
    else:
        if tap.finished:
            out += tap.close()
        else:
            fault = Fault("upstream_bad_response", "The provider's stream ended too early.")
    if fault is not None:
        is_told(fault)
        told = tap.break_off(fault, CALL_ID)
        out += side.render_stream_fault(fault, CALL_ID) if told is None else told
    book = grammar(route, out)
    # Arguments that are no JSON, numbers of answers and ids of calls are passed on as the provider gave them.
    assert book.rules <= AS_IT_CAME and book.end == ("whole" if fault is None else "error"), (out, str(book))


def watch(data: bytes) -> None:
    """Taps of passes that change nothing: they never raise, and count only upwards."""
    bits = Bits(data)
    route = NAMES[bits.number(len(NAMES))]
    tap: Any = side_of(route).tap(asked(route, stream=True))
    before = 0
    for event in bits.rest.split(b"\n"):
        flags = tap.feed(event)
        assert 0 <= flags < 16 and tap.content_bytes >= before
        before = tap.content_bytes
        assert isinstance(tap.take(), bytes) and isinstance(tap.is_whole(event), bool)
        if flags & ERROR:
            assert tap.fault is not None
            is_told(tap.fault)
            break


def is_told(fault: Fault) -> None:
    """Every caller's dialect has an envelope for it."""
    assert fault.code in FAULTS and 400 <= fault.status <= 599
    for route in ROUTES:
        assert json.loads(CLIENTS[route].render_fault(fault, "id").decode())["error"]["message"]
