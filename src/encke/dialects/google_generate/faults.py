"""Faults in Google's envelope, and errors of Google read.

Source: google.rpc.Status, google.rpc.Code and error_details.proto (ErrorInfo, RetryInfo, BadRequest, RequestInfo), in
the JSON that Google's servers answer with: {"error": {"code", "message", "status", "details"}}.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.faults import parse_fault, parse_retry_after

_encode: Final = msgspec.json.Encoder().encode
_any: Final = msgspec.json.Decoder()

_TYPE: Final = "type.googleapis.com/google.rpc."
DOMAIN: Final = "encke"
SMALL: Final = 1 << 16  # larger errors are not looked through for details

# google.rpc.Code's words by HTTP status, as its own table has them.
_BY_STATUS: Final[dict[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# Where a code says more than its status does.
_BY_CODE: Final[dict[str, str]] = {
    "unpriced_model": "FAILED_PRECONDITION",
    "upstream_auth": "INTERNAL",
    "idempotency_conflict": "ALREADY_EXISTS",
}
_WORDS: Final = frozenset(
    {
        "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    }
)  # fmt: skip

# How Google says that the prompt is too long.
_TOO_LONG: Final = re.compile(
    r"token count \(?\d*\)? ?(?:of \d+ )?exceeds the maximum|exceeds the maximum number of (?:input )?tokens", re.I
)
_BAD_KEYS: Final = (b'"API_KEY_INVALID"', b'"API_KEY_EXPIRED"', b'"API_KEY_SERVICE_BLOCKED"')
_DELAY: Final = re.compile(rb'"retryDelay"\s*:\s*"([0-9.]{1,16})s"')
_HTTP: Final[dict[str, int]] = {
    "CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400,
    "ABORTED": 409, "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503, "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}  # fmt: skip


def status_word(fault: Fault) -> str:
    """google.rpc.Code's word for a Fault; the upstream's own, where that was Google."""
    said = (fault.body or {}).get("code")
    if isinstance(said, str) and said in _WORDS:
        return said
    if fault.code in _BY_CODE:
        return _BY_CODE[fault.code]
    return _BY_STATUS.get(fault.status, "INVALID_ARGUMENT" if fault.status < 500 else "INTERNAL")


def render_fault(fault: Fault, request_id: str) -> bytes:
    """The error envelope. The gateway's own code is ErrorInfo's reason."""
    details: list[dict[str, Any]] = [
        {
            "@type": _TYPE + "ErrorInfo",
            "reason": fault.code.upper(),
            "domain": DOMAIN,
            "metadata": {"type": fault.kind.type, "owner": fault.kind.owner},
        },
        {"@type": _TYPE + "RequestInfo", "requestId": request_id},
    ]
    if fault.param:
        violation = {"field": fault.param, "description": fault.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if fault.retry_after is not None:
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{fault.retry_after:g}s"})
    error = {"code": fault.status, "message": fault.message, "status": status_word(fault), "details": details}
    return _encode({"error": error})


def render_stream_fault(fault: Fault, request_id: str) -> bytes:
    """A failure after the head: an event with the envelope, which Google's SDKs raise."""
    return b"data: " + render_fault(fault, request_id) + b"\n\n"


def read_fault(status: int, body: bytes, retry_after: float | None) -> Fault:
    """The Fault of an answer of Google that is not a success."""
    if status == 400 and len(body) < SMALL and any(reason in body for reason in _BAD_KEYS):
        status = 401
    if retry_after is None and len(body) < SMALL:
        found = _DELAY.search(body)
        retry_after = parse_retry_after(found[1].decode(), 0.0) if found is not None else None
    fault = parse_fault(status, body, retry_after)
    if fault.code != "upstream_invalid_request":
        return fault
    if _TOO_LONG.search(fault.message):
        return Fault("context_length_exceeded", fault.message, param="messages")
    word = _said_status(body)
    if word:
        fault.body = {**(fault.body or {}), "code": word}
    return fault


def fault_of_event(raw: msgspec.Raw | bytes) -> Fault:
    """The Fault of an error object inside a stream, or an answer, that began with 200."""
    data = b'{"error":' + bytes(raw) + b"}"
    status = _said_code(data) or _HTTP.get(_said_status(data), 0)
    if 400 <= status <= 599:
        return read_fault(status, data, None)
    fault = parse_fault(500, data)
    return Fault(fault.code, fault.message, verdict="again")


def _error(body: bytes) -> dict[str, Any]:
    if len(body) >= SMALL:
        return {}
    try:
        value = _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _said_status(body: bytes) -> str:
    said = _error(body).get("status")
    return said if isinstance(said, str) and said in _WORDS else ""


def _said_code(body: bytes) -> int:
    said = _error(body).get("code")
    return said if isinstance(said, int) and not isinstance(said, bool) else 0
