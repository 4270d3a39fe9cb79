"""What a model cannot be asked, through a whole gateway: left out and told, or refused, as is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from encke.testing import wire
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from tests.support.client import Response
from tests.support.gateway import Gateway, lab
from tests.system.test_keys import encke

# Neither this wire nor this model has all of it: `top_k` is not on OpenAI's, the image is not for this model.
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
BODY: dict[str, Any] = {
    "model": "lab/m",
    "max_tokens": 9,
    "top_k": 5,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}, IMAGE]}],
}
LEFT_OUT = {"top_k", "messages[0].content[1]"}


def answer(request: Request) -> Script:
    """A chat's."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    return Script([Send(wire.json_response(200, {"choices": [choice], "model": "m", "usage": usage}))])


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    """A provider of OpenAI's dialect."""
    with FakeUpstream(answer, keep_body=1 << 16) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> Iterator[Gateway]:
    """Its models see nothing; an alias's do."""
    settings = {
        **lab(upstream.url, models=["m"], capabilities={"images": False}),
        "local": {"enabled": False},
        "server": {"workers": 1},
        "models": {"seeing": {"targets": [{"provider": "lab", "model": "m"}], "capabilities": {"images": True}}},
    }
    with Gateway(tmp_path_factory.mktemp("unsupported"), settings) as running:
        yield running


def ask(gateway: Gateway, *options: str, policy: str = "", model: str = "lab/m") -> Response:
    """A call with a new key that has these options, in Anthropic's dialect."""
    key = encke(gateway, "keys", "create", *options)["key"]
    headers = {"x-encke-unsupported": policy} if policy else {}
    with gateway.client() as client:
        return client.call("POST", "/v1/messages", {**BODY, "model": model}, key=key, headers=headers)


def dropped(response: Response) -> set[str]:
    """What it says was left out."""
    assert response.status == 200, response.body
    return {name.strip() for name in (response.header("x-encke-dropped") or "").split(",") if name.strip()}


def test_what_is_left_out_is_told(gateway: Gateway, upstream: FakeUpstream) -> None:
    """By its names in the answer's header; upstream is sent the rest."""
    assert dropped(ask(gateway)) == LEFT_OUT
    sent = upstream.statement.calls()[-1]
    assert "/chat/completions" in sent.target and b"Hello" in sent.body
    assert b"aGk=" not in sent.body and b"top_k" not in sent.body


def test_the_settings_of_an_alias_hold_for_it(gateway: Gateway) -> None:
    """Its targets can do more than others of the same provider."""
    assert dropped(ask(gateway, model="seeing")) == {"top_k"}


def test_a_caller_may_have_it_refused(gateway: Gateway, upstream: FakeUpstream) -> None:
    """In the caller's dialect, with the name of what it is; upstream is not called."""
    before = len(upstream.statement.calls())
    refused = ask(gateway, policy="reject")
    assert (refused.status, refused.json()["type"]) == (400, "error")
    assert "top_k" in refused.json()["error"]["message"] and "x-encke-unsupported" in refused.json()["error"]["message"]
    assert len(upstream.statement.calls()) == before


def test_a_key_may_refuse_what_its_caller_would_leave_out(gateway: Gateway) -> None:
    """The strictest of the levels holds, and no header loosens it; `drop` of a key is no more than a wish."""
    refused = ask(gateway, "--on-unsupported", "reject", policy="drop")
    assert refused.status == 400 and "this key lets nothing be left out" in refused.json()["error"]["message"]
    assert dropped(ask(gateway, "--on-unsupported", "drop")) == LEFT_OUT
    encke(gateway, "projects", "create", "strict", "--on-unsupported", "reject")
    assert ask(gateway, "--project", "strict", "--on-unsupported", "drop").status == 400


def test_the_policy_is_shown(gateway: Gateway) -> None:
    """To operators, and to the key itself."""
    made = encke(gateway, "keys", "create", "--name", "shown", "--on-unsupported", "warn")
    assert encke(gateway, "keys", "show", "shown")["on_unsupported"] == "warn"
    with gateway.client() as client:
        assert client.call("GET", "/v1/key", key=made["key"]).json()["on_unsupported"] == "warn"


def test_an_odd_policy_is_refused(gateway: Gateway) -> None:
    """With what there is."""
    odd = ask(gateway, policy="ignore")
    assert odd.status == 400 and "reject, warn or drop" in odd.json()["error"]["message"]


def test_a_count_that_nobody_else_makes(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Is estimated by what is in the request: a picture is one, not its base64; a body that is none is refused."""
    before = len(upstream.statement.calls())
    big = {"type": "base64", "media_type": "image/png", "data": "aGkh" * 250_000}
    content = [{"type": "text", "text": "x" * 300}, {"type": "image", "source": big}]
    with gateway.client() as client:
        path, body = "/v1/messages/count_tokens", {"model": "lab/m", "messages": [{"role": "user", "content": content}]}
        counted = client.call("POST", path, body, key=gateway.key)
        odd = client.call("POST", path, body | {"messages": [{"role": "nobody", "content": "x"}]}, key=gateway.key)
    assert (counted.status, counted.header("x-encke-estimated")) == (200, "true")
    assert counted.json() == {"input_tokens": 100 + 1600 + 4}
    assert (odd.status, odd.header("x-encke-error-code")) == (400, "invalid_value")
    assert len(upstream.statement.calls()) == before


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/messages", {**BODY, "system": "be good"}, "messages[0].content[1]"),
        ("/v1/messages", {**BODY, "system": [
            {"type": "text", "text": "be good", "cache_control": {"type": "ephemeral"}}]}, "messages[0].content[1]"),
        ("/v1/responses", {"instructions": "be good", "input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "https://a.test/x.png"}]}]}, "input[0].content[0]"),
        ("/v1beta/models/lab/m:generateContent", {"systemInstruction": {"parts": [{"text": "be good"}]}, "contents": [
            {"parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}]},
         "contents[0].parts[1]"),
    ],
)  # fmt: skip
def test_places_are_the_callers_own(gateway: Gateway, path: str, body: dict[str, Any], place: str) -> None:
    """In the header, and in the refusal, whatever else stands before it for the provider."""
    body = body if "beta" in path else {**body, "model": "lab/m"}
    with gateway.client() as client:
        told = client.call("POST", path, body, key=gateway.key)
        refused = client.call("POST", path, body, key=gateway.key, headers={"x-encke-unsupported": "reject"})
    assert place in dropped(told)
    assert refused.status == 400 and f"`{place}`" in refused.json()["error"]["message"]
