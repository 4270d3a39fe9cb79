"""What an answer cost is told exactly, where it is asked for, and nothing else of the answer changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from encke.testing import wire
from encke.testing.request import Request
from encke.testing.script import Fin, Script, Send
from encke.testing.upstream import FakeUpstream
from tests.support.client import Response, chat
from tests.support.gateway import Gateway, lab

USAGE = {"prompt_tokens": 1000, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 100}}
PRICE = {"input": "0.15", "output": "0.6", "cache_read": "0.075"}
# 900 x 0.15 + 100 x 0.075 + 7 x 0.6 dollars for a million.
COST = Decimal("0.0001467")
SHOWN = {"x-encke-include-cost": "true"}
TEXT = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}, "finish_reason": None}]}
FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
WHOLE = {"id": "c1", "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": USAGE}


def answer(request: Request) -> Script:
    """By the model's name: with usage beside, usage with the finish, without usage, broken off, or broken."""
    model = json.loads(request.body)["model"]
    if model == "garbage":
        return Script([Send(wire.http_response(200, [wire.JSON], b"{}"))], model)
    if not json.loads(request.body).get("stream"):
        told = {name: value for name, value in WHOLE.items() if name != "usage" or model != "silent"}
        return Script([Send(wire.json_response(200, told))], model)
    events: list[object] = [TEXT, FINISH, {"choices": [], "usage": USAGE}]
    if model == "together":
        events = [TEXT, {**FINISH, "usage": USAGE}]
    elif model == "silent":
        events = [TEXT, FINISH]
    if model == "broken":
        body = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED]) + wire.chunk(wire.sse(*events, done=False))
        return Script([Send(body), Fin()], model)
    body = wire.chunk(wire.sse(*events)) + wire.LAST_CHUNK
    return Script([Send(wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED]) + body)], model)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One with a model for each kind of price, and one that fails over."""
    with FakeUpstream(answer) as upstream:
        settings = lab(upstream.url, price=PRICE)
        unpriced = lab(upstream.url)["providers"]["lab"]
        settings["providers"] |= {"dark": unpriced, "gift": {**unpriced, "price": "free"}}
        settings["models"] = {
            "second": {
                "targets": [{"provider": "lab", "model": "garbage"}],
                "fallback": ["lab/m"],
            }
        }
        settings |= {"local": {"enabled": False}, "server": {"workers": 1}, "store": {"durability": "strict"}}
        with Gateway(tmp_path_factory.mktemp("cost"), settings) as running:
            yield running


def ask(gateway: Gateway, model: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """One call."""
    with gateway.client() as client:
        body = chat("Hello", model, **more)
        return client.call("POST", "/v1/chat/completions", body, key=gateway.key, headers=headers or {})


def exact(text: bytes | str) -> Any:
    """JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


def recorded(gateway: Gateway, response: Response) -> int | None:
    """What the ledger says of the call, all attempts."""
    path = gateway.data / "encke.db"

    def rows() -> list[Any]:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        call = (response.header("x-request-id"),)
        found = db.execute("SELECT cost, final FROM entries WHERE call = ?", call).fetchall()
        db.close()
        return found if any(final for _, final in found) else []

    gateway.wait_for(rows, 30, "no entry")
    costs = [row[0] for row in rows()]
    return None if None in costs else sum(costs)


@pytest.mark.parametrize(
    ("model", "cost"),
    [("lab/m", COST), ("dark/m", None), ("gift/m", Decimal(0)), ("lab/silent", "estimated"), ("second", "both")],
)
def test_an_answer_tells_its_cost(gateway: Gateway, model: str, cost: Decimal | str | None) -> None:
    """In a header, and in `usage` on request: the ledger's to the nano-dollar, null where there is no price, and of
    all attempts. The rest of the body is to the byte what it is without."""
    plain, shown = ask(gateway, model), ask(gateway, model, SHOWN)
    header = shown.header("x-encke-cost")
    assert plain.status == shown.status == 200 and plain.header("x-encke-cost") == header
    told = exact(shown.body)["usage"]["cost"]
    if cost is None:
        assert told is None and header is None and recorded(gateway, shown) is None
    else:
        assert header is not None and told == Decimal(header) == Decimal(recorded(gateway, shown) or 0) / 10**9
        if isinstance(cost, Decimal):
            assert told == cost
        else:
            assert told > 0 and (cost != "both" or told > COST)
    if cost == "estimated":
        usage = exact(shown.body)["usage"]
        assert usage["estimated"] is True and usage["total_tokens"] > usage["completion_tokens"] > 0
        assert shown.body.startswith(plain.body[:-1])
    else:
        word = b"null" if header is None else header.encode()
        assert shown.body.replace(b',"cost":%b' % word, b"") == plain.body


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("model", ["lab/m", "lab/together", "dark/m", "lab/silent"])
def test_a_stream_tells_its_cost_at_the_end(gateway: Gateway, model: str, asked: bool) -> None:
    """In the event with the usage, whether usage was asked for or not; in one of its own where there is none."""
    options: dict[str, Any] = {"stream_options": {"include_usage": True}}
    plain = ask(gateway, model, stream=True, **options)
    shown = ask(gateway, model, SHOWN, stream=True, **(options if asked else {}))
    cost = recorded(gateway, shown)
    word = b"null" if cost is None else f"{Decimal(cost) / 10**9:f}".rstrip("0").encode()
    assert shown.body.endswith(b"data: [DONE]\n\n")
    last = exact(shown.events()[-2])
    assert last["usage"]["cost"] == (None if cost is None else Decimal(cost) / 10**9)
    if model == "lab/silent":
        assert last["usage"]["estimated"] is True and last["choices"] == []
        assert shown.body.startswith(plain.body[: -len("data: [DONE]\n\n")])
    else:
        assert shown.body.replace(b',"cost":%b' % word, b"") == plain.body
        assert model == "dark/m" or word == b"0.0001467"


def test_a_stream_that_breaks_off_after_its_usage(gateway: Gateway) -> None:
    """What had come comes, with the cost; then the error, and no end."""
    shown = ask(gateway, "lab/broken", SHOWN, stream=True)
    events = [exact(event) for event in shown.events()]
    assert b"[DONE]" not in shown.body
    assert events[-1]["error"]["code"] == "upstream_reset"
    assert [event["usage"]["cost"] for event in events if event.get("usage")] == [COST]


@pytest.mark.parametrize("word", ["yes", "1", ""])
def test_a_wish_is_true_or_false(gateway: Gateway, word: str) -> None:
    """Anything else is told; false is none."""
    refused = ask(gateway, "lab/m", {"x-encke-include-cost": word})
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["param"]) == (400, "invalid_value", "x-encke-include-cost")
    assert b'"cost"' not in ask(gateway, "lab/m", {"x-encke-include-cost": "False"}).body


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_given_once_more_tells_what_it_cost(gateway: Gateway, stream: bool) -> None:
    """Under an Idempotency-Key the same bytes come again, with the cost of the call that was made; it costs nothing."""
    headers = {**SHOWN, "idempotency-key": f"cost-{stream}"}
    first, again = (ask(gateway, "lab/m", headers, stream=stream) for _ in range(2))
    assert again.header("x-encke-replayed") == first.header("x-request-id")
    assert first.body == again.body and first.body.count(b'"cost":0.0001467}') == 1
    assert again.header("x-encke-cost") == (None if stream else "0")
