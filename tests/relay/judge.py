"""What came held against what was expected; each problem is a sentence."""

from __future__ import annotations

import json
import re

from encke.testing.replay import Exchange
from tests.relay.caller import Came
from tests.relay.oracle import Expected

# What a head may hold; anything else would have come from upstream.
HEADERS = frozenset(
    {
        *("date", "server", "connection", "content-type", "content-length", "transfer-encoding"),
        *("cache-control", "x-accel-buffering", "openai-processing-ms", "x-request-id", "x-cometapi-request-id"),
        *("x-encke-model", "x-encke-provider", "x-encke-attempts", "x-should-retry", "retry-after", "retry-after-ms"),
        "x-encke-error-code",
    }
)
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


def differences(expected: Expected, came: Came) -> list[str]:
    """What came that should not have, or the other way round."""
    if came.status != expected.status:
        return [f"status {came.status}, not {expected.status}: {came.body[:300]!r}"]
    if came.complete == expected.broken:
        return [f"the framing's end {'came' if came.complete else 'is missing'}: {came.body[-200:]!r}"]
    if expected.body is not None:
        return [] if came.body == expected.body else [f"body {_first_difference(expected.body, came.body)}"]
    envelope = came.body
    if expected.events is not None:
        if not came.body.startswith(expected.events + b"data: "):
            return [f"events {_first_difference(expected.events, came.body)}"]
        envelope = came.body.removeprefix(expected.events + b"data: ")
        if not envelope.endswith(b"\n\n") or b"[DONE]" in envelope:
            return [f"the error is not the last event: {envelope[-200:]!r}"]
    return envelope_problems(expected, envelope, came.headers.get("x-request-id", ""))


def envelope_problems(expected: Expected, data: bytes, request_id: str) -> list[str]:
    """What is wrong with an error envelope."""
    try:
        value = json.loads(data)
        error = value["error"]
    except (ValueError, KeyError):
        return [f"no error envelope: {data[:300]!r}"]
    problems = [] if set(error) == {"message", "type", "param", "code"} else [f"error has {sorted(error)}"]
    if value.get("request_id") != request_id:
        problems.append("the error's request id is not the header's")
    if not isinstance(error["message"], str) or not error["message"] or not isinstance(error["type"], str):
        problems.append(f"message or type is missing: {error}")
    if expected.code is not None and error["code"] != expected.code:
        problems.append(f"code {error['code']}, not {expected.code}")
    if expected.message is not None and expected.message not in error["message"]:
        problems.append(f"message {error['message']!r}, not {expected.message!r}")
    return problems


def header_problems(exchange: Exchange, asked: str, stream: bool, came: Came) -> list[str]:
    """What is wrong with the head."""
    headers = came.headers
    problems = [f"header {name} should not be there" for name in headers if name not in HEADERS]
    if not UUID7.match(headers.get("x-request-id", "")):
        problems.append("no x-request-id")
    wanted = {
        "x-cometapi-request-id": headers.get("x-request-id"),
        "x-encke-model": asked,
        "x-encke-provider": asked.partition("/")[0],
        "x-encke-attempts": "1",
    }
    problems += [f"{name} is {headers.get(name)}" for name, value in wanted.items() if headers.get(name) != value]
    if (came.status != 200) != (headers.get("x-should-retry") in ("true", "false")):
        problems.append(f"x-should-retry is {headers.get('x-should-retry')} with {came.status}")
    if (came.status != 200) != ("x-encke-error-code" in headers):
        problems.append(f"x-encke-error-code is {headers.get('x-encke-error-code')} with {came.status}")
    kind = headers.get("content-type", "")
    if came.status == 200 and stream:
        wanted_kind = "text/event-stream; charset=utf-8"
    elif came.status == 200:
        wanted_kind = next((v for n, v in exchange.headers if n.lower() == "content-type"), "application/json")
    else:
        wanted_kind = "application/json"
    return problems if kind == wanted_kind else [*problems, f"content-type {kind}, not {wanted_kind}"]


def _first_difference(expected: bytes, came: bytes) -> str:
    at = next(
        (n for n, (a, b) in enumerate(zip(expected, came, strict=False)) if a != b), min(len(expected), len(came))
    )
    return f"differs at byte {at}: {came[max(at - 60, 0) : at + 80]!r}, not {expected[max(at - 60, 0) : at + 80]!r}"
