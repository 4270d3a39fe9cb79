"""Faults in Anthropic's envelope, with its own types."""

from __future__ import annotations

import json

import pytest

from encke.core.faults import FAULTS, Fault
from encke.dialects.faults import parse_fault
from encke.dialects.table import CLIENTS

MESSAGES = CLIENTS["messages"]

TYPES = {
    "missing_api_key": "authentication_error",
    "invalid_api_key": "authentication_error",
    "expired_api_key": "authentication_error",
    "model_not_allowed": "permission_error",
    "route_not_allowed": "permission_error",
    "address_not_allowed": "permission_error",
    "model_not_found": "not_found_error",
    "not_found": "not_found_error",
    "idempotency_conflict": "conflict_error",
    "idempotency_in_progress": "conflict_error",
    "request_too_large": "request_too_large",
    "rate_limit_exceeded": "rate_limit_error",
    "insufficient_quota": "rate_limit_error",
    "budget_exceeded": "rate_limit_error",
    "upstream_rate_limited": "rate_limit_error",
    "overloaded": "overloaded_error",
    "unavailable": "overloaded_error",
    "draining": "overloaded_error",
    "upstream_timeout": "timeout_error",
    "upstream_idle": "timeout_error",
}


@pytest.mark.parametrize("code", FAULTS)
def test_every_row_has_a_type_of_its_own_dialect(code: str) -> None:
    """The envelope has the type, the message and the request's id, and nothing of another dialect."""
    usual = "invalid_request_error" if FAULTS[code].status < 500 else "api_error"
    assert json.loads(MESSAGES.render_fault(Fault(code, "why"), "r1")) == {
        "type": "error",
        "error": {"type": TYPES.get(code, usual), "message": "why"},
        "request_id": "r1",
    }


@pytest.mark.parametrize("code", FAULTS)
def test_the_status_is_the_rows_but_for_anthropics_own(code: str) -> None:
    """No capacity is 529 there (platform.claude.com/docs/en/api/errors); a gateway that stops is 503 to everybody."""
    expected = 529 if code == "overloaded" else FAULTS[code].status
    assert MESSAGES.fault_status(Fault(code, "why")) == expected
    assert CLIENTS["chat"].fault_status(Fault(code, "why")) == FAULTS[code].status


def test_a_providers_refusal_keeps_its_words() -> None:
    """A refusal of the same dialect keeps type and message; of another, the message, and the type of its status."""
    own = {"type": "error", "error": {"type": "not_found_error", "message": "model: m"}}
    fault = parse_fault(404, json.dumps(own).encode())
    assert json.loads(MESSAGES.render_fault(fault, "r"))["error"] == own["error"]
    fault = parse_fault(404, b'{"error":{"message":"no such model","type":"model_error","code":"x"}}')
    assert json.loads(MESSAGES.render_fault(fault, "r"))["error"] == {
        "type": "not_found_error",
        "message": "no such model",
    }


def test_in_a_stream() -> None:
    """An event of its own, after which nothing comes."""
    event = MESSAGES.render_stream_fault(Fault("upstream_idle", "silence"), "r")
    assert event.startswith(b"event: error\ndata: {") and event.endswith(b"}\n\n")
    assert json.loads(event.split(b"data: ")[1])["error"] == {"type": "timeout_error", "message": "silence"}


def test_the_keepalive_is_a_ping() -> None:
    """As Anthropic sends them."""
    assert MESSAGES.keepalive == b'event: ping\ndata: {"type": "ping"}\n\n'
