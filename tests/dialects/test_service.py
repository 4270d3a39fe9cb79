"""The class of service is read where requests ask for it and answers name it, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from encke.dialects.service import asked_service, served_service


@pytest.mark.parametrize(
    ("answer", "service"),
    [
        (b'{"service_tier":"flex","usage":{}}', "flex"),
        (b'{"service_tier":"default","usage":{}}', ""),
        (b'{"service_tier":null}', None),
        (b'{"id":"x"}', None),
        (b'{"type":"response.completed","response":{"service_tier":"priority","usage":{}}}', "priority"),
        (b'{"type":"message_start","message":{"usage":{"service_tier":"standard","speed":"fast"}}}', "fast"),
        (b'{"usage":{"service_tier":"standard","speed":"standard"}}', ""),
        (b'{"usageMetadata":{"serviceTier":"SERVICE_TIER_FLEX"}}', "flex"),
        # What a model wrote, or a tool is called with, names nothing.
        (b'{"content":[{"input":{"service_tier":"flex","speed":"fast"}}],"usage":{}}', None),
        (b'{"choices":[{"message":{"content":"\\"service_tier\\":\\"flex\\""}}],"service_tier":"default"}', ""),
        (b'{"service_tier":7}', None),
        (b'{"service_tier":', None),
    ],
)
def test_what_an_answer_names(answer: bytes, service: str | None) -> None:
    """Beside its usage or in it; the usual one by any of its names is ""."""
    assert served_service(answer) == service


@pytest.mark.parametrize(
    ("asked", "service"),
    [
        ({"service_tier": "flex"}, "flex"),
        ({"service_tier": "auto"}, ""),
        ({"serviceTier": "PRIORITY"}, "priority"),
        ({"speed": "fast", "service_tier": "auto"}, "fast"),
        ({"service_tier": 3}, ""),
        ({}, ""),
    ],
)
def test_what_a_request_asks_for(asked: dict[str, object], service: str) -> None:
    """By any dialect's name for it."""
    body = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in asked.items()}
    assert asked_service(body) == service
