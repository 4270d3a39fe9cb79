"""The class of service is read where requests ask for it and answers name it, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from encke.dialects.service import asked_service, sent_service, served_service
from encke.dialects.table import CLIENTS


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
    ("route", "asked", "service"),
    [
        ("chat", {"service_tier": "flex"}, "flex"),
        ("chat", {"service_tier": "auto"}, ""),
        ("chat", {"serviceTier": "flex", "speed": "fast"}, ""),
        ("responses", {"service_tier": "flex", "serviceTier": "priority"}, "flex"),
        ("responses", {"serviceTier": "flex"}, ""),
        ("generate", {"serviceTier": "PRIORITY"}, "priority"),
        ("generate", {"service_tier": "flex"}, "flex"),
        ("generate", {"speed": "flex"}, ""),
        ("messages", {"speed": "fast", "service_tier": "auto"}, "fast"),
        ("messages", {"serviceTier": "flex"}, ""),
        ("chat", {"service_tier": 3}, ""),
        ("chat", {}, ""),
    ],
)
def test_what_a_request_asks_for(route: str, asked: dict[str, object], service: str) -> None:
    """By its own dialect's name for it: another's asks for nothing."""
    body = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in asked.items()}
    assert asked_service(body, CLIENTS[route].service_fields) == service


@pytest.mark.parametrize(
    ("sent", "service"),
    [
        (b'{"model":"m","service_tier":"flex"}', "flex"),
        (b'{"serviceTier":"SERVICE_TIER_PRIORITY"}', "priority"),
        (b'{"messages":[{"service_tier":"flex"}]}', ""),
        (b"[]", ""),
        (b'{"service_tier":"fl', ""),
    ],
)
def test_what_was_sent(sent: bytes, service: str) -> None:
    """In the fields of a body that was made for a provider."""
    assert sent_service(sent) == service
