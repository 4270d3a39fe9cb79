"""Faults as this dialect tells them: an error's envelope, an event for a stream that has not begun, and the failed
Response that ends one that has.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.openai_chat.faults import error_of

_encode: Final = msgspec.json.Encoder().encode


def render_stream_fault(fault: Fault, request_id: str, sequence_number: int = 0) -> bytes:
    """A failure of a stream of which nothing has been sent.

    The error stands there twice: beside the type, as OpenAI describes it, and in an object, as OpenAI sends it.
    """
    error = error_of(fault)
    event = {
        "type": "error",
        "code": error.get("code"),
        "message": error.get("message"),
        "param": error.get("param"),
        "sequence_number": sequence_number,
        "error": error,
        "request_id": request_id,
    }
    return b"event: error\ndata: " + _encode(event) + b"\n\n"


def render_failed(fault: Fault, request_id: str, response: dict[str, object], sequence_number: int) -> bytes:
    """The end of a stream that has begun: its Response, failed."""
    error = error_of(fault)
    told = {"code": error.get("code") or fault.code, "message": f"{fault.message} (request {request_id})"}
    event = {
        "type": "response.failed",
        "sequence_number": sequence_number,
        "response": {**response, "status": "failed", "error": told},
    }
    return b"event: response.failed\ndata: " + _encode(event) + b"\n\n"
