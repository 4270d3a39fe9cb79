"""Every recorded and made-up refusal of a provider: one Fault, and the same meaning in every caller's envelope."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from encke.core.faults import FAULTS, Fault
from encke.dialects.faults import parse_fault
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.testing import replay
from encke.testing.replay import Exchange
from tests.conftest import Count
from tests.dialects.grammar.messages import ERRORS
from tests.dialects.recorded.cases import APIS, ROUTES
from tests.dialects.recorded.drive import CALL_ID
from tests.relay import oracle
from tests.support import recordings

pytestmark = pytest.mark.recordings
# The recordings' name of a wire: whose errors these are, beside those of answers to chats.
OPS = {api: op for api, (op, _) in APIS.items()} | {
    "openai.embeddings": "embeddings",
    "google.embed": "embed_content",
    "cohere.embed": "cohere_embed",
    "anthropic.count_tokens": "count_tokens",
    "google.countTokens": "google_count",
    "mistral.embeddings": "embeddings",
}
# code -> (owner, verdict for routing); what is the caller's own fault is the same everywhere and stops.
MEANING: dict[str, tuple[str, str]] = {
    "upstream_invalid_request": ("caller", "stop"),
    "context_length_exceeded": ("caller", "stop"),
    "upstream_auth": ("gateway", "next"),
    "upstream_rate_limited": ("upstream", "again"),
    "upstream_timeout": ("upstream", "next"),
    "overloaded": ("upstream", "again"),
    "upstream_error": ("upstream", "again"),
    "upstream_redirect": ("upstream", "stop"),
}
# The word for a status in Anthropic's and Google's envelopes.
ANTHROPIC = {
    400: "invalid_request_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}
GOOGLE = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def refusals() -> Iterator[Exchange]:
    """All answers of these wires that are no success."""
    folder = recordings.folder()
    made_up = [Exchange(json.loads(line)) for line in (folder / "synthetic" / "errors.jsonl").read_text().splitlines()]
    for one in [*(one for api in OPS for one in replay.recorded(folder, api=api)), *made_up]:
        if one.status >= 300 and one.api in OPS:
            yield one


def read(one: Exchange) -> Fault:
    """As an attempt reads it."""
    side = PROVIDERS.get(OPS[one.api])
    return parse_fault(one.status, one.body) if side is None else side.read_fault(one.status, one.body, None)


def test_every_refusal_means_the_same_everywhere(count: Count) -> None:
    """Status, code, owner and verdict are those of one table; each envelope has its own word for them."""
    problems, seen = [], Counter[str]()
    for one in refusals():
        fault = read(one)
        seen[fault.code] += 1
        for what in [*_fault(one, fault), *(f"{route}: {what}" for route in ROUTES for what in _told(route, fault))]:
            problems.append(f"{one.provider} {one.api} {one.id} {one.status} {one.body[:160]!r}: {what}")
    assert not problems, f"{len(problems)} are wrong; the first:\n" + "\n".join(problems[:15])
    assert seen.total() > 300
    count(f"refusals of providers: {dict(seen)}")


def _fault(one: Exchange, fault: Fault) -> list[str]:
    # 498 stands in no register: Groq has no capacity left, Cohere does not take the key.
    status = {"groq": 503, "cohere": 401}[one.provider] if one.status == 498 else one.status
    expected = oracle.expect(False, False, status, one.body)
    found = []
    if fault.status != expected.status:
        found.append(f"status {fault.status}, not {expected.status}")
    if expected.code not in (None, fault.code):
        found.append(f"code {fault.code}, not {expected.code}")
    owner, verdict = MEANING[fault.code]
    if FAULTS[fault.code].owner != owner or fault.verdict != verdict:
        found.append(f"{fault.code} is {FAULTS[fault.code].owner}'s and {fault.verdict}, not {owner}'s and {verdict}")
    if fault.code == "upstream_invalid_request" and expected.message and expected.message not in fault.message:
        found.append(f"message {fault.message!r}, not {expected.message!r}")
    return found


def _told(route: str, fault: Fault) -> list[str]:
    body = CLIENTS[route].render_fault(fault, CALL_ID)
    value: Any = json.loads(body)
    error = value["error"]
    if route in ("chat", "responses"):
        good = error.keys() == {"message", "type", "param", "code"} and error["type"]
    elif route == "messages":
        word = ANTHROPIC.get(fault.status, "invalid_request_error" if fault.status < 500 else "api_error")
        good = value["type"] == "error" and error["type"] == word and error["type"] in ERRORS
    else:
        words = ("FAILED_PRECONDITION", "OUT_OF_RANGE") if fault.status == 400 else ()  # Google's own, kept
        good = error["code"] == fault.status and error["status"] in (GOOGLE.get(fault.status, error["status"]), *words)
    found = [] if good else [f"envelope {body[:200]!r}"]
    if not error["message"] or (route != "chat" and fault.message[:20] not in error["message"]):
        found.append(f"message {error['message']!r}")
    return found
