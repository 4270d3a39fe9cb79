"""Faults in the OpenAI dialect's envelope."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault

_encode: Final = msgspec.json.Encoder().encode


def render_fault(fault: Fault, request_id: str) -> bytes:
    """The error envelope, with the request id beside the error."""
    return _encode({"error": error_of(fault), "request_id": request_id})


def error_of(fault: Fault) -> dict[str, object]:
    """What stands in the envelope."""
    return fault.body or {
        "message": fault.message,
        "type": fault.kind.type,
        "param": fault.param,
        "code": fault.code,
    }


def render_stream_fault(fault: Fault, request_id: str) -> bytes:
    """A failure after the head: an error event. The stream's end mark never follows it."""
    return b"data: " + render_fault(fault, request_id) + b"\n\n"
