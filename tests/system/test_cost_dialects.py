"""What an answer cost stands in it in every dialect, whatever dialect its provider speaks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from encke.testing.behaviours import Options, named
from encke.testing.upstream import FakeUpstream
from tests.clients.wires import providers
from tests.support.client import Response
from tests.support.gateway import Gateway

PRICE = {"input": "1", "output": "2", "cache_read": "0.1", "reasoning": "3", "request": "0.001"}
UPSTREAMS = ("chat", "responses", "messages", "gemini", "mistral", "cohere", "ollama")
CALLERS = ("chat", "responses", "messages", "gemini", "array")
USED = Options(prompt_tokens=1000, completion_tokens=42, cached=200, reasoning=12)
SHOWN = {"x-encke-include-cost": "true"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One with a priced provider of each dialect."""
    with FakeUpstream(lambda request: named(request, USED)) as upstream:
        priced = {name: {**one, "price": PRICE} for name, one in providers(upstream.url).items()}
        settings = {"providers": priced, "local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path_factory.mktemp("costs"), settings) as running:
            yield running


def ask(gateway: Gateway, caller: str, model: str, stream: bool, shown: bool) -> Response:
    """One call in a dialect."""
    said = {"role": "user", "content": "Hello"}
    body: dict[str, Any] = {"model": model, "messages": [said], "max_tokens": 100}
    path = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}.get(caller, "")
    if caller == "responses":
        path, body = "/v1/responses", {"model": model, "input": "Hello"}
    if not path:
        method = "generateContent" if not stream else "streamGenerateContent"
        path = f"/v1beta/models/{model}:{method}" + ("?alt=sse" if stream and caller == "gemini" else "")
        body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    elif stream:
        body["stream"] = True
    with gateway.client() as client:
        return client.call("POST", path, body, key=gateway.key, headers=SHOWN if shown else {})


def recorded(gateway: Gateway, response: Response) -> int:
    """Nano-dollars by the ledger."""

    def row() -> Any:
        db = sqlite3.connect(f"file:{Path(gateway.data) / 'encke.db'}?mode=ro", uri=True)
        call = (response.header("x-request-id"),)
        found = db.execute("SELECT cost FROM entries WHERE call = ? AND final", call).fetchone()
        db.close()
        return found

    gateway.wait_for(row, 10, "no entry")
    return int(row()[0])


def usages(caller: str, stream: bool, body: bytes) -> list[dict[str, Any]]:
    """Every usage of an answer where the dialect's clients look for it."""
    text = body.decode()
    if not stream:
        answers = [text]
    elif caller == "array":
        answers = [json.dumps(one, default=str) for one in json.loads(text, parse_float=str)]
    else:
        answers = [line[5:] for line in text.splitlines() if line.startswith("data:") and "[DONE]" not in line]
    found = []
    for answer in answers:
        told = json.loads(answer, parse_float=Decimal)
        if caller == "responses" and stream:
            told = told.get("response") or {}
        found.append(told.get("usageMetadata" if caller in ("gemini", "array") else "usage"))
    return [one for one in found if one]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("caller", CALLERS)
def test_the_cost_stands_in_every_dialect(gateway: Gateway, caller: str, stream: bool) -> None:
    """The ledger's to the nano-dollar, once, in the last usage that the caller's dialect has; without the header it is
    nowhere; and streamed or whole, the same usage costs the same."""
    if caller == "array" and not stream:
        return
    for upstream in UPSTREAMS:
        shown = ask(gateway, caller, f"{upstream}/m", stream, True)
        assert shown.status == 200, shown.body
        told = usages(caller, stream, shown.body)
        costs = [one["cost"] for one in told if "cost" in one]
        assert len(costs) == 1 and "cost" in told[-1], (upstream, shown.body)
        cost = recorded(gateway, shown)
        assert Decimal(costs[0]) * 10**9 == cost > 1_000_000
        plain = ask(gateway, caller, f"{upstream}/m", stream, False)
        assert b'"cost"' not in plain.body and recorded(gateway, plain) == cost
        if stream:
            assert recorded(gateway, ask(gateway, caller, f"{upstream}/m", False, False)) == cost
