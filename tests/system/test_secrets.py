"""Secrets stay secret: canaries are put wherever secrets stand, the worst is done, then everything is looked through.

What these gateways leave is looked through here while they run, and once more, with what all other tests have left, at
the end of every run (tests/conftest.py).
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.admin.commands import COMMANDS
from encke.admin.frames import FrameDecoder, encode
from encke.testing import wire
from encke.testing.behaviours import by_request
from encke.testing.request import Request
from encke.testing.script import Script, Send, Stall
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.support.canaries import PLANTED, canary
from tests.support.client import Response, build
from tests.support.evidence import EVIDENCE, Evidence
from tests.support.gateway import KEY, Gateway
from tests.support.scanner import Scanner
from tests.support.weights import share_weights

PROVIDERS = ("lab", "variable", "plain", "openai")
STATUSES = (400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 529)
FAULTS = (
    "reset",
    "reset_mid_stream",
    "half_json",
    "html_200",
    "redirect",
    "no_done",
    "500",
    "401",
    "429",
    "error_event",
)
HEADERS = {
    "cookie": f"session={canary('cookie')}", "x-unknown": canary("caller_header"),
    "x-forwarded-for": canary("forwarded"), "referer": f"http://site/?{canary('query')}",
}  # fmt: skip


def quoting(request: Request) -> Script:
    """An upstream that repeats what it was told, in every way, where it should not."""
    model = request.model or ""
    told = dict(request.headers)
    secrets = [told["authorization"].removeprefix("Bearer "), told.get("x-org", "")]
    cookie = [("set-cookie", canary("upstream_header")), ("x-request-id", canary("upstream_header"))]
    said = " ".join(form for secret in secrets if secret for form in disguises(secret))
    error = {"message": f"What is {said}?", "type": secrets[0], "code": secrets[0], "param": secrets[-1] or None}
    if model.startswith("quote-"):
        return Script([Send(wire.json_response(int(model[6:]), {"error": error}, cookie))], "quote")
    stream = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED, *cookie])
    if model.startswith("broken-"):
        hello = wire.event({"choices": [{"index": 0, "delta": {"content": canary("prompt")}, "finish_reason": None}]})
        events = (hello if model == "broken-late" else b"") + wire.event({"error": error})
        return Script([Send(stream + wire.chunk(events) + wire.LAST_CHUNK)], "broken")
    if model == "slow":
        hello = wire.event({"choices": [{"index": 0, "delta": {"content": canary("prompt")}, "finish_reason": None}]})
        return Script([Send(stream + wire.chunk(hello)), Stall()], "slow")
    if model == "finish":
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": secrets[0]}
        return Script([Send(wire.json_response(200, {"choices": [choice]}, cookie))], "finish")
    if not request.path.endswith("/chat/completions"):
        field = "data" if "embed" in request.path else "results" if "moder" in request.path else "choices"
        return Script([Send(wire.json_response(200, {field: [{"text": canary("completion")}]}, cookie))], "other")
    return by_request(request)


def disguises(secret: str) -> list[str]:
    """A secret as upstreams have been seen to repeat it, and worse."""
    data = secret.encode()
    whole = [secret, base64.b64encode(data).decode(), base64.urlsafe_b64encode(b":" + data).decode(), data.hex()]
    return [*whole, secret[:16], secret[-14:] + "…", "".join(f"%{byte:02X}" for byte in data)]


def prompt(model: str, **more: Any) -> dict[str, Any]:
    """A request with a canary in every field that a person may fill."""
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": canary("arguments")}}
    image = {"type": "image_url", "image_url": {"url": f"https://images.example/{canary('image')}.png"}}
    text = {"type": "text", "text": f"token:{canary('prompt')}"}
    tool = {"type": "function", "function": {"name": "look", "description": canary("tool"), "parameters": {}}}
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": canary("system_prompt")},
            {"role": "assistant", "content": canary("history"), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": canary("arguments")},
            {"role": "user", "content": [text, image]},
        ],
        "tools": [tool], "metadata": {"case": canary("metadata")}, "user": canary("user"),
        "stop": [canary("stop_word")], "x_unknown": canary("unknown_field"), **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers and four providers, whose keys come from everywhere a key can come from."""
    with FakeUpstream(quoting) as upstream:
        table = {"dialect": "openai_chat", "base_url": f"{upstream.url}/v1", "allow_private": True}
        headers = {"headers": {"x-org": canary("provider_header")}}
        settings = {
            "providers": {
                "lab": {**table, "api_key": f"sk-{canary('provider_key')}", **headers},
                "variable": {**table, "api_key": "${VARIABLE_KEY}"},
                "plain": {**table, "api_key": canary("plain_provider_key")},
                "openai": {"base_url": f"{upstream.url}/v1", "allow_private": True},
            },
            "server": {"workers": 2}, "local": {"enabled": False}, "routing": {"breaker": "off", "retries": 0},
        }  # fmt: skip
        env = {"VARIABLE_KEY": canary("variable_key"), "OPENAI_API_KEY": f"sk-{canary('usual_key')}"}
        with Gateway(tmp_path_factory.mktemp("secrets"), settings, env=env) as running:
            yield running


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """Knows every canary."""
    made = Scanner()
    for name in PLANTED:
        made.add(name, canary(name))
    return made


def post(gateway: Gateway, body: Any, path: str = "/v1/chat/completions", **more: Any) -> Response:
    """A call with canaries in its headers and its query."""
    with gateway.client() as client:
        return client.call("POST", f"{path}?session={canary('query')}", body, key=KEY, headers=HEADERS, **more)


def assert_nothing_left(gateway: Gateway) -> None:
    """Every file of the gateway, as it lies there now."""
    assert Evidence().leaks(gateway.data.parent) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_prompts_and_answers_are_not_kept(gateway: Gateway, scanner: Scanner, provider: str, stream: bool) -> None:
    """The answer has the prompt, the caller being its owner; nothing that stays has it. Of the provider's headers none
    that tells anything is passed on.
    """
    answer = post(gateway, prompt(f"{provider}/m", stream=stream))
    assert answer.status == 200 and canary("prompt").encode() in answer.body
    for route, field in (("completions", "prompt"), ("embeddings", "input"), ("moderations", "input")):
        name = "completion" if field == "prompt" else route[:-1]
        answer = post(gateway, {"model": f"{provider}/m", field: canary(name)}, f"/v1/{route}")
        assert answer.status == 200 and scanner.find(repr(answer.headers).encode()) == []
    assert_nothing_left(gateway)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_upstream_that_quotes_our_key(gateway: Gateway, scanner: Scanner, provider: str) -> None:
    """In an error of any status, whole, in slices or disguised: no caller reads the gateway's credential."""
    for status in STATUSES:
        for stream in (False, True):
            answer = post(gateway, prompt(f"{provider}/quote-{status}", stream=stream))
            assert answer.status >= 400 and answer.json()["error"]["message"]
            assert scanner.find(answer.body + repr(answer.headers).encode()) == []


@pytest.mark.parametrize("model", ["broken-early", "broken-late"])
def test_a_stream_that_quotes_our_key(gateway: Gateway, scanner: Scanner, model: str) -> None:
    """Nor in an error inside a stream, before or after content."""
    for provider in PROVIDERS:
        answer = post(gateway, prompt(f"{provider}/{model}", stream=True))
        shown = answer.body.replace(canary("prompt").encode(), b"")
        assert b"error" in shown and scanner.find(shown) == []


def test_a_made_up_finish_reason_is_not_recorded(gateway: Gateway) -> None:
    """The ledger keeps a word it knows, not what an upstream makes up."""
    assert post(gateway, prompt("lab/finish")).status == 200
    time.sleep(0.3)
    assert_nothing_left(gateway)


def test_faults_and_departures(gateway: Gateway, count: Count) -> None:
    """Whatever goes wrong with an upstream or a caller, no text of theirs is kept."""
    calls = 0
    for fault in FAULTS:
        for stream in (False, True):
            post(gateway, prompt(f"lab/fault-{fault.replace('_', '-')}", stream=stream))
            calls += 1
    for _ in range(10):
        with gateway.client() as client:
            client.send(build("POST", "/v1/chat/completions", prompt("lab/slow", stream=True), HEADERS, KEY))
            assert client.read_head().status == 200
            client.reset()
            calls += 1
    count(f"secrets: {calls} faults and departures with {len(PLANTED)} canaries planted")
    assert_nothing_left(gateway)


WRONG: dict[str, tuple[str, dict[str, str], bytes]] = {
    "no key": ("/v1/models", {}, b""),
    "a stranger's key": ("/v1/models", {"authorization": f"Bearer sk-{canary('strangers_key')}"}, b""),
    "a short key": ("/v1/models", {"x-api-key": canary("strangers_key")[:20]}, b""),
    "a key in the query": (f"/v1/models?key=sk-{canary('query_key')}", {}, b""),
    "a key in the path": (f"/v1/sk-{canary('path_key')}/models", {}, b""),
    "a key after the path": (f"/v1/chat/completions/sk-{canary('path_key')}", {}, b""),
    "a key for a model": (f"/v1/models/sk-{canary('path_key')}", {"authorization": f"Bearer {KEY}"}, b""),
    "two keys": ("/v1/models", {"authorization": f"Bearer {KEY}", "x-api-key": f"sk-{canary('two_keys')}"}, b""),
    "no scheme": ("/v1/models", {"authorization": f"Basic {canary('no_bearer')}"}, b""),
    "a broken body": (
        "/v1/chat/completions", {"authorization": f"Bearer {KEY}"}, b'{"' + canary("broken_json").encode(),
    ),
    "no JSON": ("/v1/chat/completions", {"authorization": f"Bearer {KEY}"}, canary("broken_json").encode()),
    "a wrong type": (
        "/v1/chat/completions", {"authorization": f"Bearer {KEY}"},
        b'{"model": "lab/m", "messages": "' + canary("wrong_type").encode() + b'"}',
    ),
    "a key as the model": (
        "/v1/chat/completions", {"authorization": f"Bearer {KEY}"},
        b'{"model": "sk-' + canary("path_key").encode() + b'", "messages": []}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_errors_quote_no_secret(gateway: Gateway, scanner: Scanner, name: str) -> None:
    """A caller's mistake with a key or a body is told without repeating it, to the caller and to the log."""
    path, headers, body = WRONG[name]
    with gateway.client() as client:
        answer = client.call("POST" if body else "GET", path, body or None, headers={**HEADERS, **headers})
    assert 400 <= answer.status < 500
    assert scanner.find(answer.body + repr(answer.headers).encode()) == []
    assert_nothing_left(gateway)


def test_killed_in_the_middle(gateway: Gateway) -> None:
    """Worker and keeper die with calls open: what they leave, and what is settled from it, holds no text."""
    for role in ("worker", "keeper", "worker"):
        client = gateway.client()
        client.send(build("POST", "/v1/chat/completions", prompt("lab/slow", stream=True), HEADERS, KEY))
        assert client.read_head().status == 200
        before = set(gateway.pids(role))
        for index in range(len(before)):
            gateway.kill(role, index, signal.SIGKILL)
        assert_nothing_left(gateway)
        client.close()
        while before & set(gateway.pids(role)):
            time.sleep(0.05)
        gateway.wait_for(lambda: _answers(gateway), 30, "no answer after a kill")
    assert_nothing_left(gateway)


def _answers(gateway: Gateway) -> bool:
    try:
        return post(gateway, prompt("lab/m")).status == 200
    except ConnectionError:
        return False


def test_commands_show_no_secret(gateway: Gateway, scanner: Scanner) -> None:
    """Settings, keys, models and usage, as an operator sees them; the answers of the keeper's socket."""
    env = {
        "PATH": os.environ["PATH"], "ENCKE_DATA": str(gateway.data), "VARIABLE_KEY": canary("variable_key"),
        "OPENAI_API_KEY": f"sk-{canary('usual_key')}", "ENCKE_API_KEY": KEY, "ENCKE_BOOTSTRAP_KEY": KEY,
    }  # fmt: skip
    config = ("--config", str(gateway.config))
    for command in (
        ("config", "show"),
        ("config", "check"),
        ("config", "plan"),
        ("doctor",),
        ("keys", "list"),
        ("usage",),
        ("models",),
    ):
        for more in ((), ("--json",)):
            options = (*more, *(config if command[0] != "usage" else ()))
            ran = subprocess.run(
                [sys.executable, "-m", "encke", *command, *options],
                env=env,
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert ran.returncode == 0 or b"No such" in ran.stderr, (command, ran.stderr)
            EVIDENCE.take(f"encke {' '.join(command)}", ran.stdout + ran.stderr)
            assert scanner.find(ran.stdout + ran.stderr) == []
    frames = [_ask(gateway, name) for name in COMMANDS]
    assert scanner.find(b"".join(frames)) == []


def _ask(gateway: Gateway, name: str) -> bytes:
    """A command without arguments, or with one that nobody knows, over the keeper's socket; the answer's bytes."""
    decoder = FrameDecoder()
    with gateway.client(unix=str(gateway.data / "keeper.sock")) as client:
        client.send(encode("command", 1, {"name": name, "args": {"ref": f"sk-{canary('strangers_key')}"}}))
        while True:
            data = client.socket.recv(65536)
            assert data, f"the keeper did not answer {name}"
            for frame in decoder.feed(data):
                if frame.kind == "reply":
                    answer = msgspec.msgpack.encode(frame.payload)
                    EVIDENCE.take(f"the keeper's answer to {name}", answer)
                    return answer


def test_children_are_told_nothing_in_the_open(gateway: Gateway, scanner: Scanner) -> None:
    """Neither arguments nor environments of the processes hold a secret, and a crash leaves no core."""
    processes = gateway.processes()
    assert len(processes) >= 4
    for pid in processes:
        assert scanner.find(Path(f"/proc/{pid}/cmdline").read_bytes()) == []
        if pid != gateway.process.pid:
            assert scanner.find(Path(f"/proc/{pid}/environ").read_bytes()) == []
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        core = next(line for line in limits if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]


@pytest.mark.model
def test_the_embedded_model_keeps_no_prompt(tmp_path: Path) -> None:
    """Nor does the engine's log hold a prompt, an answer, or a key."""
    share_weights(tmp_path / "data")
    with Gateway(tmp_path, {"server": {"workers": 1}}, ready_within=60) as gateway:
        gateway.wait_for(lambda: gateway.run.get("engine"), 120, "the engine did not start")
        words = {"role": "user", "content": f"Repeat this word exactly: {canary('prompt')}"}
        for stream in (False, True):
            body = {"model": "local", "messages": [words], "stream": stream, "max_tokens": 40}
            with gateway.client(timeout=120) as client:
                assert client.call("POST", "/v1/chat/completions", body, key=KEY, headers=HEADERS).status == 200
        EVIDENCE.processes(gateway.processes(), gateway.process.pid)
    assert (tmp_path / "data/logs/engine.log").stat().st_size > 0
    assert_nothing_left(gateway)
