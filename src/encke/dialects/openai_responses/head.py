"""A Response but for what is in it: every field that clients may count on, most of them the request's own."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode

# What a Response says again of its request, and what it says where that has said nothing.
_ECHOED: Final[dict[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_NULL: Final = msgspec.Raw(b"null")


def empty_response(id: str, model: str, created: int) -> dict[str, object]:
    """The fields that the description and the SDKs' types ask for, where the request is not known any more."""
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **_ECHOED,
    }


class ResponseHead:
    """What is the same in every event that holds the Response."""

    __slots__ = ("_rest", "_start")

    def __init__(self, request: Request, id: str, model: str, created: int) -> None:
        body = request.body
        echoed = {
            name: body[name] if name in body and body[name] != _NULL else usual for name, usual in _ECHOED.items()
        }
        start = {"id": id, "object": "response", "created_at": created, "model": model}
        self._start = _encode(start)[:-1]
        # Nothing is kept, whatever was asked for.
        rest = _encode({**echoed, "store": False})
        if b"\n" in rest or b"\r" in rest:
            rest = msgspec.json.format(rest, indent=-1)  # the caller's own white space; an event is one line
        self._rest = rest[1:]

    def render(
        self, status: str, output: bytes, usage: bytes, error: bytes = b"null", details: bytes = b"null"
    ) -> bytes:
        """The Response. `output` are its items without brackets; the others are JSON."""
        return b'%b,"status":"%b","error":%b,"incomplete_details":%b,"output":[%b],"usage":%b,%b' % (
            self._start,
            status.encode(),
            error,
            details,
            output,
            usage,
            self._rest,
        )
