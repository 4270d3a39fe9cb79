"""Several credentials of one provider: drawn by weight, another one where one is refused, a breaker for each."""

from __future__ import annotations

import json
from collections import Counter
from itertools import count
from typing import Any

import pytest

from encke.testing import wire
from encke.testing.behaviours import by_request
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from tests.relay.conftest import Start
from tests.relay.ledger import lines
from tests.support.client import Response, chat
from tests.support.gateway import Gateway

REFUSALS = {"limited": 429, "broke": 402, "revoked": 401, "banned": 403, "down": 503}
RETRY_AFTER = (("retry-after", "30"),)
CALLS = count()


def credentials(*names: str, **weights: int) -> list[dict[str, Any]]:
    return [
        {"name": f"cred.{name}", "api_key": f"sk-{name}-0123456789", "weight": weights.get(name, 1)} for name in names
    ]


class Bank:
    """The upstream: what it says depends on the key it is shown."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.down = False

    def behave(self, request: Request) -> Script:
        """The key's name tells what becomes of it; all others are good."""
        secret = (request.header("authorization") or "").removeprefix("Bearer ")
        key = secret.split("-")[1]
        if request.path.endswith("/models"):
            status = REFUSALS.get(key, 200)
            listed = {"object": "list", "data": [{"id": f"of-{key}"}]}
            return Script([Send(wire.json_response(status, listed if status == 200 else {}))])
        self.keys.append(key)
        status = REFUSALS.get(key, 200)
        if status != 200:
            error = {"error": {"message": f"no, {secret}", "type": "x", "code": None}}
            return Script([Send(wire.json_response(status, error, RETRY_AFTER if status == 429 else ()))])
        return by_request(request)


@pytest.fixture(scope="module")
def bank(upstream: FakeUpstream) -> Bank:
    """Its one upstream."""
    made = Bank()
    upstream.behave = made.behave
    return made


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, bank: Bank, start: Start) -> Gateway:
    """A provider for every way in which credentials may be good and bad."""

    def provider(*names: str, **weights: int) -> dict[str, Any]:
        known = {"dialect": "openai_chat", "base_url": f"{upstream.url}/v1", "allow_private": True}
        return {**known, "credentials": credentials(*names, **weights)}

    return start(
        {
            "providers": {
                "fair": provider("a", "b", "c", a=6, b=3),
                "one": provider("only"),
                **{name: provider(name, "good", **{name: 1_000_000}) for name in REFUSALS},
                "mixed": provider("limited", "revoked", limited=1_000_000),
                "bad": provider("revoked", "banned"),
                "spare": provider("good"),
            },
            "models": {"over": {"targets": [{"provider": "down", "model": "m"}], "fallback": ["spare/m"]}},
            "routing": {"breaker": "on"},
        }
    )


def ask(gateway: Gateway, model: str, **more: Any) -> tuple[Response, list[tuple[str, str, int]]]:
    """The answer, and of each attempt provider, credential and status, from the ledger."""
    response: Response = gateway.chat(chat(f"token:c{next(CALLS)}", model, **more), timeout=60)
    found = lines(gateway, response.header("x-request-id") or "")
    return response, [(line.provider, line.credential.removeprefix("cred."), line.http_status) for line in found]


def test_they_are_drawn_by_weight(gateway: Gateway, bank: Bank) -> None:
    """Of two hundred calls six, three and one in ten."""
    bank.keys.clear()
    with gateway.client() as client:
        for _ in range(200):
            assert client.call("POST", "/v1/chat/completions", chat("x", "fair/m"), key=gateway.key).status == 200
    used = Counter(bank.keys)
    assert 95 <= used["a"] <= 145 and 35 <= used["b"] <= 85 and 5 <= used["c"] <= 40


def test_a_single_one_is_named_too(gateway: Gateway, bank: Bank) -> None:
    """In the ledger, as each of several is."""
    for _ in range(5):
        assert ask(gateway, "fair/m")[1] == [("fair", bank.keys[-1], 200)]
    assert ask(gateway, "one/m")[1] == [("one", "only", 200)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["limited", "broke", "revoked", "banned"])
def test_a_refused_one_gives_way_and_rests(gateway: Gateway, name: str, stream: bool) -> None:
    """The next one answers; calls of the same model begin with it for a while, whatever the weights."""
    model = f"{name}/m{stream}"
    response, attempts = ask(gateway, model, stream=stream)
    assert response.status == 200 and response.header("x-encke-attempts") == "2"
    assert attempts == [(name, name, REFUSALS[name]), (name, "good", 200)]
    for _ in range(5):
        assert ask(gateway, model, stream=stream)[1] == [(name, "good", 200)]
    assert ask(gateway, f"{name}/other{stream}")[1][0] == (name, name, REFUSALS[name])


def test_whose_fault_it_is_not(gateway: Gateway) -> None:
    """Where the provider fails, another provider comes before another credential; without one, the credential does."""
    response, attempts = ask(gateway, "over")
    assert response.status == 200
    assert attempts == [("down", "down", 503), ("spare", "good", 200)]
    assert ask(gateway, "down/m")[1] == [("down", "down", 503), ("down", "good", 200)]


def test_a_breaker_is_of_one_credential(gateway: Gateway, bank: Bank) -> None:
    """What fails with one key for long is not tried with it for a while; the other goes on."""
    for _ in range(24):
        assert gateway.chat(chat("x", "down/b"), timeout=60).status == 200
    bank.keys.clear()
    assert ask(gateway, "down/b")[1] == [("down", "good", 200)]
    assert bank.keys == ["good"]


def test_all_refused(gateway: Gateway) -> None:
    """The last refusal is told, in the gateway's words; a wait that would help is told before a key that will not."""
    response, attempts = ask(gateway, "bad/m")
    assert (response.status, response.json()["error"]["code"], len(attempts)) == (502, "upstream_auth", 2)
    response, attempts = ask(gateway, "mixed/m")
    assert [status for *_, status in attempts] == [429, 401]
    assert (response.status, response.json()["error"]["code"]) == (429, "upstream_rate_limited")
    assert response.header("retry-after") == "30"


def test_no_name_and_no_key_of_one_is_told_to_callers(gateway: Gateway) -> None:
    """Neither in errors nor in headers; the access line has the name, and nothing has the key."""
    for model in ("bad/n", "mixed/n", "revoked/n", "one/n"):
        response, attempts = ask(gateway, model)
        told = f"{response.headers} {response.body!r}"
        assert "cred." not in told and "sk-" not in told + gateway.log and attempts
    access = [json.loads(line) for line in gateway.log.splitlines() if '"credential"' in line]
    assert {"cred.only", "cred.good", "cred.revoked"} <= {line["credential"] for line in access}
    assert {line["status"] == 200 for line in access if line["first_ms"]} == {True}, "a refusal is no first content"


def test_the_list_of_models_is_asked_for_with_the_next_one(gateway: Gateway) -> None:
    """Where the first is refused; a provider of which no credential is good is named as missing."""
    with gateway.client() as client:
        listed = client.call("GET", "/v1/models", key=gateway.key)
        names = [one["id"] for one in listed.json()["data"]]
        assert {"revoked/of-good", "fair/of-a", "one/of-only"} <= set(names)
        assert listed.header("x-encke-models-missing") == "bad,mixed"
