"""What real clients show of limits: refusals, what is left, what a call cost."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import openai
import pytest

from encke.testing.upstream import FakeUpstream
from tests.clients.site import QUESTION
from tests.clients.test_curl import curl
from tests.clients.test_node import packages as packages
from tests.support.gateway import Gateway, lab
from tests.support.node import NODE
from tests.support.operate import encke

SLOW: Any = [{"role": "user", "content": 'behave: {"name": "slow_chunks", "chunks": 8, "interval": 0.2}'}]
DATE = r"\d{4}-\d\d-01T00:00:00Z"


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    """A provider that answers politely."""
    with FakeUpstream() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A tenth of a cent for each token, so that a cent is soon gone."""
    settings = {**lab(upstream.url, price={"input": "1000", "output": "1000"}), "local": {"enabled": False}}
    settings["providers"]["dark"] = lab(upstream.url)["providers"]["lab"]
    with Gateway(tmp_path_factory.mktemp("limits"), {**settings, "server": {"workers": 2}}) as running:
        yield running


def key_with(gateway: Gateway, name: str, *terms: str) -> str:
    """A new key with these limits."""
    made = encke(gateway, "keys", "create", "--json", "--name", name, *terms)
    assert made.returncode == 0, made.stderr
    key: str = json.loads(made.stdout)["key"]
    return key


def client(gateway: Gateway, key: str, retries: int = 0) -> openai.OpenAI:
    """OpenAI's own."""
    return openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=retries)


def refused(gateway: Gateway, key: str, model: str = "lab/m", retries: int = 2, **more: Any) -> openai.APIStatusError:
    """The exception that the Python client raises."""
    with client(gateway, key, retries) as made, pytest.raises(openai.APIStatusError) as raised:
        made.chat.completions.create(model=model, messages=QUESTION, **more)
    return raised.value


def test_a_spent_budget_in_python(gateway: Gateway, upstream: FakeUpstream) -> None:
    """RateLimitError with the whole sentence, type and code; it is not tried again, and the provider is not asked."""
    before = len(upstream.statement.calls())
    sent: list[object] = []
    with client(gateway, key_with(gateway, "poor", "--budget", "0.01/month"), 2) as made:
        made._client.event_hooks["request"].append(sent.append)
        with pytest.raises(openai.RateLimitError) as raised:
            made.chat.completions.create(model="lab/m", messages=QUESTION)
    error = raised.value
    assert len(sent) == 1
    assert (error.status_code, error.code, error.type) == (429, "insufficient_quota", "insufficient_quota")
    pattern = (
        rf'The budget of key "poor" is too small for this call: it may cost \$[\d.]+, and the budget is \$0\.01 a month'
        rf"|The budget of key \"poor\" .*: \$0\.00 of \$0\.01 this month \(UTC\); .* filled again on {DATE}\."
    )
    assert re.search(pattern, error.message), error.message
    assert error.response.headers["x-should-retry"] == "false" and len(upstream.statement.calls()) == before
    assert error.request_id


def test_a_budget_that_is_spent_by_calls(gateway: Gateway) -> None:
    """The answer says what it cost, the key says what is left, and the refusal says the same."""
    key = key_with(gateway, "spends", "--budget", "0.1/month")
    costs: list[Decimal] = []
    with client(gateway, key) as made:
        while True:
            try:
                raw = made.chat.completions.with_raw_response.create(
                    model="lab/m", messages=QUESTION, max_tokens=10, extra_headers={"x-encke-include-cost": "true"}
                )
            except openai.RateLimitError as error:
                message = error.message
                break
            costs.append(Decimal(raw.headers["x-encke-cost"]))
            usage: Any = raw.parse().usage
            assert Decimal(repr(usage.cost)) == costs[-1] > 0
            assert len(costs) < 30
    spent = sum(costs)
    assert 0 < spent <= Decimal("0.1")
    own = f"{gateway.base_url}/key", "-H", f"Authorization: Bearer {key}"
    gateway.wait_for(lambda: Decimal(json.loads(curl(*own))["limits"][0]["spent"]) == spent, 30, "another sum")
    shown = json.loads(curl(*own))
    limit = shown["limits"][0]
    assert (shown["name"], shown["project"], limit["amount"]) == ("spends", "default", "0.1")
    assert shown["tightest_budget"] == limit and re.fullmatch(DATE, limit["reset"])
    assert Decimal(limit["left"]) + spent == Decimal("0.1")
    assert Decimal(str(shown["data"]["usage"])) == spent
    told = re.search(r"\$([\d.]+) of \$0\.10 this month \(UTC\).*; this call needs \$([\d.]+)\. It is", message)
    assert told is not None and Decimal(told[1]) <= spent and Decimal(told[2]) > 0, message


def test_a_model_without_a_price(gateway: Gateway) -> None:
    """BadRequestError that says what to do."""
    error = refused(gateway, key_with(gateway, "dark", "--budget", "5/month"), "dark/m")
    assert isinstance(error, openai.BadRequestError) and error.code == "unpriced_model" and "price" in error.message


def test_a_rate_in_curl(gateway: Gateway) -> None:
    """What one sees: OpenAI's headers on answers, streams and refusals; the sentence, and when to come again."""
    key = key_with(gateway, "curled", "--rpm", "2", "--tpm", "100000")

    def call(**more: Any) -> str:
        body = json.dumps({"model": "lab/m", "messages": QUESTION, **more})
        url = f"{gateway.base_url}/chat/completions"
        return curl("-i", url, "-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json", "-d", body)

    first, second, third = call(), call(stream=True), call()
    for text, left in ((first, "1"), (second, "0"), (third, "0")):
        assert "x-ratelimit-limit-requests: 2\n" in text and "x-ratelimit-limit-tokens: 100000\n" in text
        assert f"x-ratelimit-remaining-requests: {left}\n" in text, text
        assert re.search(r"x-ratelimit-reset-requests: (\d+m)?[\d.]+m?s\n", text)
        assert 0 < int(re.findall(r"x-ratelimit-remaining-tokens: (\d+)", text)[0]) <= 100_000
    assert third.startswith("HTTP/1.1 429")
    after = int(re.findall(r"retry-after: (\d+)", third)[0])
    error = json.loads(third.partition("\n\n")[2])["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    said = re.fullmatch(
        r'The rate limit of key "curled" is reached: 2 requests a minute\. Try again in ([\d.]+) s\.', error["message"]
    )
    assert said is not None and 20 < float(said[1]) <= 30 and abs(after - float(said[1])) <= 1, third


def test_calls_at_once_in_python(gateway: Gateway) -> None:
    """RateLimitError that says how many; a client that may try again does so when it was told, and is answered."""
    key = key_with(gateway, "one", "--concurrency", "1")
    with client(gateway, key, 4) as made:
        stream: Any = made.chat.completions.create(model="lab/m", messages=SLOW, stream=True)
        next(stream)
        error = refused(gateway, key, retries=0)
        assert 'The limit of key "one" is reached: 1 call at once. Try again when one of them has ended.' in str(error)
        assert error.response.headers["retry-after"] == "1"
        slow = Thread(target=list, args=(stream,))
        slow.start()
        assert made.chat.completions.create(model="lab/m", messages=QUESTION).choices
        slow.join(20)


@pytest.mark.node
def test_refusals_in_node(gateway: Gateway, packages: Path) -> None:
    """The same classes and words."""
    script = """
        import OpenAI from "openai";
        const client = new OpenAI({ maxRetries: 2 });
        const messages = [{ role: "user", content: "Hello" }];
        try { await client.chat.completions.create({ model: "lab/m", messages }); }
        catch (error) { console.log(JSON.stringify({
            name: error.constructor.name, status: error.status, code: error.code, type: error.type,
            message: error.message, id: error.requestID })); }
    """
    key = key_with(gateway, "node", "--budget", "0.01/week")
    env = {"PATH": os.environ["PATH"], "OPENAI_BASE_URL": gateway.base_url, "OPENAI_API_KEY": key}
    command = [str(NODE), "--input-type=module", "-e", script]
    done = subprocess.run(command, cwd=packages, env=env, capture_output=True, text=True, timeout=60, check=True)
    error = json.loads(done.stdout)
    assert (error["name"], error["status"], error["code"], error["type"]) == (
        "RateLimitError", 429, "insufficient_quota", "insufficient_quota",
    )  # fmt: skip
    assert error["message"].startswith('429 The budget of key "node"') and error["id"]
