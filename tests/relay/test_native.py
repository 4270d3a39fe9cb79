"""Examples of providers with a wire of their own, through the real gateway by the route of the same wire: sent where
and how the provider wants it, and answered byte for byte, but for ends of lines in streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from encke.providers.ops import AUTH_FIELDS, PATHS
from encke.providers.presets import FOLDER
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from encke.testing.wire import http_response
from encke.worker.routes import match
from tests.relay.conftest import Start, provider
from tests.support.canaries import canary
from tests.support.gateway import KEY, Gateway
from tests.support.presets import PRESETS, address

NAMES = ("anthropic", "google")
FILES = [file for name in NAMES for file in sorted((FOLDER / name / "examples").glob("*.json"))]


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """With these providers, as their presets say but for the host."""
    tables = {
        name: {**provider(upstream.url), "base_url": f"{upstream.url}{address(PRESETS[name]).prefix}"} for name in NAMES
    }
    return start({"providers": tables, "routing": {"breaker": "off", "retries": 0}})


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-3::2]))
def test_example(gateway: Gateway, upstream: FakeUpstream, file: Path) -> None:
    """The path, the key in its header and the version beside it; the body but for the model; the answer as it is."""
    name = file.parts[-3]
    example: dict[str, Any] = json.loads(file.read_text("utf-8"))
    request, response = example["request"], example["response"]
    path, body = request["path"], dict(request["body"])
    if "model" in body:
        body["model"] = f"{name}/{body['model']}"
    else:
        path = path.replace("/models/", f"/models/{name}/")
    found = match(path.partition("?")[0])
    assert found is not None and f"{found.route.name}" in PATHS
    answer = response["body"] if isinstance(response["body"], str) else json.dumps(response["body"])
    upstream.queue(Script([Send(http_response(200, list(response["headers"].items()), answer.encode()))]))
    with gateway.client() as client:
        came = client.call("POST", path, body, key=KEY)
    assert (came.status, came.body) == (200, answer.replace("\r\n", "\n").encode())
    sent = upstream.statement.calls()[-1]
    assert sent.target == request["path"]
    assert json.loads(sent.body) == request["body"]
    auth = PRESETS[name].auth
    assert auth is not None
    header, _, shown = AUTH_FIELDS[auth].format(f"sk-upstream-{canary('relay_key')}").strip().partition(": ")
    fields = [value for field, value in sent.headers if field.lower() == header]
    assert fields == [shown] and not [1 for field, _ in sent.headers if field.lower() == "authorization"]
    versions = [value for field, value in sent.headers if field.lower() == "anthropic-version"]
    assert versions == (["2023-06-01"] if name == "anthropic" else [])
