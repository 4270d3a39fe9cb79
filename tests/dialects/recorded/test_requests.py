"""Every recorded request, read into the hub and written for every provider's wire: nothing is lost in silence."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from encke.core.chat import ChatRequest
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.port import CHAT, Rendered
from encke.dialects.table import CLIENTS, PROVIDERS
from tests.conftest import Count, Size
from tests.dialects.recorded import tally
from tests.dialects.recorded.cases import MODEL, ROUTES, Case
from tests.dialects.recorded.features import features
from tests.dialects.recorded.losses import first_difference, stands_for, tidy, without
from tests.dialects.recorded.normal import is_mere_leave, normal
from tests.dialects.recorded.reasons import moved, refusal
from tests.dialects.recorded.tally import Tally
from tests.dialects.recorded.test_native import requests

pytestmark = pytest.mark.recordings


def test_every_request_can_be_asked_everywhere(size: Size, count: Count, pytestconfig: pytest.Config) -> None:
    """What is written for a provider and read again is the request, but for what was listed as dropped."""
    found, refused = Tally(), Counter[str]()
    for case, target, data in requests(size(16, soak=1)):
        source = case.op
        side = CLIENTS[case.op]
        try:
            request = side.read(data, target, {})
            hub = side.to_hub(request)
        except Fault as fault:
            refused[f"{case.op}: {fault.code} {fault.param}"] += 1
            found.note(source, "hub", "read", str(fault), case.name, refusal(fault))
            continue
        assert isinstance(hub, ChatRequest)
        wanted = features(hub)
        found.note(source, "hub", "read", _unread(case, json.loads(data), hub), case.name)
        for op, provider in PROVIDERS.items():
            if provider.kind == CHAT:
                dropped, problem = _through(op, hub)
                found.note(source, op, "requests", problem, case.name, moved(op, problem))
                for feature, places in wanted.items():
                    found.note(source, op, feature, lost=not dropped.isdisjoint(places))
                found.dropped.update((op, case.op, re.sub(r"\d+", "*", name)) for name in dropped)
    found.check()
    count(f"requests on other wires: {found.line()}; refused: {dict(refused)}")
    if pytestconfig.getoption("--write-compatibility"):
        tally.write("requests", found, refused.items())
    tally.hold("requests", found)


def _through(op: str, hub: ChatRequest) -> tuple[frozenset[str], str]:
    """What is dropped of a request on a wire, and the problem with it."""
    try:
        rendered = PROVIDERS[op].render(hub, MODEL, Traits())
    except Fault as fault:
        return frozenset(), f"refused: {fault}"
    strange = [name for name in rendered.dropped if not stands_for(hub, name)]
    if strange or len(set(rendered.dropped)) != len(rendered.dropped):
        return frozenset(), f"dropped what is not there: {rendered.dropped}"
    json.loads(rendered.body)
    problem = _changed(op, hub, rendered) if op in ROUTES else _unsaid(hub, rendered.dropped, rendered.body)
    return frozenset(rendered.dropped), problem


def _changed(op: str, hub: ChatRequest, rendered: Rendered) -> str:
    """What is another when it is read again, and was not dropped."""
    side = CLIENTS[op]
    method = "streamGenerateContent" if hub.stream else "generateContent"
    target = f"{MODEL}:{method}" if op == "generate" else ""
    try:
        again = side.to_hub(side.read(rendered.body, target, {}))
    except Fault as fault:
        return f"cannot be read again: {fault} in {rendered.body[:300]!r}"
    assert isinstance(again, ChatRequest)
    if op == "messages" and hub.max_tokens is None:
        again = replace(again, max_tokens=None)  # which has to have one
    if op == "messages" and "format" in rendered.dropped:
        again = _unasked(again)
    if is_mere_leave(hub.reasoning):
        hub, again = replace(hub, reasoning=None), replace(again, reasoning=None)
    expected = normal(op, tidy(without(replace(hub, model=MODEL), rendered.dropped)), rendered.dropped)
    told = normal(op, tidy(again), rendered.dropped)
    difference = first_difference(expected, told)
    return f"{difference} (dropped {rendered.dropped})" if difference else ""


def _unasked(request: ChatRequest) -> ChatRequest:
    """Without the instruction to answer in JSON, which stands in for a form that the wire does not have."""
    first, *others = request.messages
    parts = first.parts[:-1] if first.role == "system" else first.parts
    return replace(request, messages=(replace(first, parts=parts), *others) if parts else tuple(others))


# What somebody said, by the names of the fields that hold it on these wires.
_SAID = frozenset({"text", "content", "input", "instructions", "system", "output", "refusal", "thinking"})


def _unread(case: Case, body: dict[str, Any], hub: ChatRequest) -> str:
    """What stands in a request as text and did not reach the hub."""
    said = "\n".join(leaves(hub))
    for name in ("messages", "input", "contents", "instructions", "system", "systemInstruction", "system_instruction"):
        for text in texts(body.get(name), name):
            if text.strip() and text not in said:
                return f"{text[:80]!r} of {name} was not read"
    return ""


def _unsaid(hub: ChatRequest, dropped: tuple[str, ...], body: bytes) -> str:
    """Texts of the hub that a wire without a reader does not have."""
    kept = without(hub, dropped)
    said = "\n".join(leaves(json.loads(body)))
    for message in kept.messages:
        for part in message.parts:
            text = getattr(part, "text", "")
            if text.strip() and type(part).__name__ == "Text" and text not in said:
                return f"{text[:80]!r} was not written (dropped {dropped})"
    return ""


def texts(value: Any, name: str = "") -> list[str]:
    """What is said in a request's JSON."""
    if isinstance(value, str):
        return [value] if name in _SAID else []
    if isinstance(value, list):
        return [text for item in value for text in texts(item, name)]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in texts(item, key)]
    return []


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def leaves(value: Any) -> list[str]:
    """All texts of a value, of JSON within it, too."""
    if isinstance(value, str):
        inner = _json(value) if value[:1] in ("{", "[") else None
        return [value] if inner is None else [value, *leaves(inner)]
    if isinstance(value, bytes):
        return [value.decode(), *leaves(json.loads(value))] if value else []
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in leaves(item)]
    if isinstance(value, dict):
        return [text for item in value.values() for text in leaves(item)]
    if hasattr(value, "__struct_fields__"):
        return [text for name in value.__struct_fields__ for text in leaves(getattr(value, name))]
    return []
