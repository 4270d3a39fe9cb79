"""A whole answer for a caller."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatReply, Foreign, Part, Refusal, Text, Thinking, ToolCall
from encke.dialects.anthropic_messages.answer import (
    call_carrier,
    citation_json,
    media_text,
    message_id,
    shows_thoughts,
    stop_reason,
    stopped_by,
    text_carrier,
    thinking_block,
)
from encke.dialects.anthropic_messages.names import ORIGIN
from encke.dialects.anthropic_messages.tools import input_of
from encke.dialects.anthropic_messages.usage import usage_json
from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode

Block = dict[str, Any]


def render_reply(reply: ChatReply, request: Request, call_id: str) -> bytes:
    """The answer; of several the first, since this wire has but one."""
    shown = shows_thoughts(request)
    content: list[Any] = []
    reason: str | None = None
    sequence: str | None = None
    if reply.choices:
        choice = reply.choices[0]
        for part in choice.parts:
            content += _blocks(part, shown)
        if choice.parts and isinstance(choice.parts[-1], Text) and choice.parts[-1].signature:
            content.pop()  # a turn ends with no thought here (see `writer`)
        if choice.finish is not None:
            called = any(isinstance(part, ToolCall) for part in choice.parts)
            refused = any(isinstance(part, Refusal) for part in choice.parts)
            reason = stop_reason(choice.finish, called, refused)
            sequence = stopped_by(request, choice.finish, choice.stop_sequence)
    return _encode(
        {
            "id": message_id(call_id),
            "type": "message",
            "role": "assistant",
            "model": reply.model or request.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": msgspec.Raw(usage_json(reply.usage)),
        }
    )


def _blocks(part: Part, shown: bool) -> list[Any]:
    if isinstance(part, Text):
        return _text(part)
    if isinstance(part, ToolCall):
        block: Block = {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part)}
        if not part.signature:
            return [block]
        return [{"type": "redacted_thinking", "data": call_carrier(part.id, part.signature, part.origin)}, block]
    if isinstance(part, Thinking):
        thought = thinking_block(part, shown)
        return [thought] if thought is not None else []
    if isinstance(part, Refusal):
        return [{"type": "text", "text": part.text}] if part.text else []
    if isinstance(part, Foreign):
        return [msgspec.Raw(part.raw)] if part.origin == ORIGIN else []
    text = media_text(part)
    return [{"type": "text", "text": text}] if text else []


def _text(part: Text) -> list[Any]:
    block: Block = {"type": "text", "text": part.text}
    if part.citations:
        block["citations"] = [citation_json(one) for one in part.citations]
    found: list[Any] = [block] if part.text else []
    if part.signature:
        found.append({"type": "redacted_thinking", "data": text_carrier(part.signature, part.origin)})
    return found


def _input(call: ToolCall) -> msgspec.Raw:
    return msgspec.Raw(_encode({"input": call.arguments})) if call.custom else input_of(call.arguments)
