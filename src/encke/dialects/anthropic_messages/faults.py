"""Faults in Anthropic's envelope: {"type": "error", "error": {"type", "message"}, "request_id"}.

The types are those of platform.claude.com/docs/en/api/errors. The type is the one that goes with the status; where
none does, a provider's refusal keeps its own, if it is one of them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault

_encode: Final = msgspec.json.Encoder().encode

_TYPES: Final = frozenset(
    {
        "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
        "conflict_error", "request_too_large", "rate_limit_error", "api_error", "timeout_error", "overloaded_error",
    }
)  # fmt: skip

OVERLOADED: Final = 529

_STATUSES: Final[dict[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def status_of(fault: Fault) -> int:
    """The status of an answer: where no capacity is left it is Anthropic's own 529, which its clients know; not where
    the gateway itself ends or cannot record, which 503 tells those who stand in front, too."""
    return OVERLOADED if fault.code == "overloaded" and fault.status == 503 else fault.status


def error_type(fault: Fault) -> str:
    """What this dialect calls a Fault."""
    found = _STATUSES.get(fault.status)
    if found is not None:
        return found  # also where a provider of another dialect calls all of its refusals invalid_request_error
    if fault.body is not None:
        said = fault.body.get("type")
        if isinstance(said, str) and said in _TYPES:
            return said
    return "invalid_request_error" if fault.status < 500 else "api_error"


def render_fault(fault: Fault, request_id: str) -> bytes:
    """The error envelope."""
    message = fault.message
    if fault.body is not None:
        said = fault.body.get("message")
        message = said if isinstance(said, str) else message
    error = {"type": error_type(fault), "message": message}
    return _encode({"type": "error", "error": error, "request_id": request_id})


def render_stream_fault(fault: Fault, request_id: str) -> bytes:
    """A failure after the head: an error event. message_stop never follows it."""
    return b"event: error\ndata: " + render_fault(fault, request_id) + b"\n\n"
