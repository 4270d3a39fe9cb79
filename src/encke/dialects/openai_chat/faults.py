"""Faults in the OpenAI dialect's envelope."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault

_encode: Final = msgspec.json.Encoder().encode


def render_fault(fault: Fault, request_id: str) -> bytes:
    """The error envelope, with the request id beside the error."""
    error = fault.body or {
        "message": fault.message,
        "type": fault.kind.type,
        "param": fault.param,
        "code": fault.code,
    }
    return _encode({"error": error, "request_id": request_id})


def render_stream_fault(fault: Fault, request_id: str) -> bytes:
    """A failure after the head: an error event. The stream's end mark never follows it."""
    return b"data: " + render_fault(fault, request_id) + b"\n\n"
