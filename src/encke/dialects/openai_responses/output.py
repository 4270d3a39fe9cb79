"""A whole Response into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import ChatReply, Choice, Finish, Foreign, Image, Part, Refusal, Text, TokenLogprob, ToolCall
from encke.core.faults import Fault
from encke.dialects.mend import loosely
from encke.dialects.openai_chat.assistant import arguments_of
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.conversation import thoughts_of
from encke.dialects.openai_responses.parse import finish_of, read_reply
from encke.dialects.openai_responses.parts import text_of
from encke.dialects.openai_responses.usage import parse_usage
from encke.dialects.openai_responses.wire import NAME

_response: Final = msgspec.json.Decoder(wire.Response)
_typed: Final = msgspec.json.Decoder(wire.Typed)
_content: Final = msgspec.json.Decoder(wire.Content)
_part: Final = msgspec.json.Decoder(wire.Part)
_call: Final = msgspec.json.Decoder(wire.CalledItem)
_reasoning: Final = msgspec.json.Decoder(wire.ReasoningItem)
_image: Final = msgspec.json.Decoder(wire.ImageItem)
_logprobs: Final = msgspec.json.Decoder(list[wire.Logprob])

_FINISHES: Final[dict[str, Finish]] = {
    "completed": "stop",
    "complete": "stop",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
_UNFINISHED: Final = frozenset({"in_progress", "queued"})


def parse_response(data: bytes, call_id: str) -> ChatReply:
    """A whole answer with status 200. Raises Fault upstream_bad_response, and what upstream says of itself."""
    read_reply(data)
    response = loosely(data, _response, wire.Response)
    if response is None:
        raise Fault("upstream_bad_response", "The provider's answer is no Response.", verdict="next")
    if response.status in _UNFINISHED:
        raise Fault("upstream_bad_response", "The provider's answer is not finished.", verdict="next")
    parts: list[Part] = []
    logprobs: list[TokenLogprob] = []
    for at, raw in enumerate(response.output or ()):
        read_item(raw, f"call_{call_id.replace('-', '')}_{at}", parts, logprobs)
    reason = finish_of(response.status or "", response.incomplete_details)
    called = any(isinstance(part, ToolCall) for part in parts)
    choice = Choice(tuple(parts), finish(reason, called), reason, logprobs=tuple(logprobs))
    return ChatReply(
        choices=(choice,),
        id=response.id or "",
        model=response.model or "",
        created=int(response.created_at or 0),
        usage=parse_usage(response.usage),
        service_tier=response.service_tier or "",
    )


def finish(reason: str, called: bool) -> Finish | None:
    """Why it ended, in the hub's words; None if nobody has told. `called`: there are calls, which this wire does not
    tell as a reason."""
    found = _FINISHES.get(reason, "other") if reason else None
    return "tool_calls" if found == "stop" and called else found


def read_item(raw: msgspec.Raw, id: str, parts: list[Part], logprobs: list[TokenLogprob]) -> None:
    """An item; one of no shape that is known is left out. `id` is for a call that came without one."""
    try:
        kind = _typed.decode(raw).type or ""
        if kind == "message":
            for part in said_in(raw):
                _said(part, parts, logprobs)
        elif kind in ("function_call", "custom_tool_call"):
            parts.append(read_call(raw, id, custom=kind == "custom_tool_call"))
        elif kind == "reasoning":
            item = _reasoning.decode(raw)
            parts += thoughts_of(item, item.encrypted_content or "", NAME)
        elif kind:
            parts.append(read_other(raw, kind))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return


def said_in(raw: msgspec.Raw) -> list[wire.Part]:
    """The parts of a message; in the place of one that cannot be read stands an empty one. Raises
    msgspec.DecodeError."""
    found = []
    content = _content.decode(raw).content
    if isinstance(content, str):
        return [wire.Part("output_text", content)]
    for part in content or ():
        found.append(loosely(part, _part, wire.Part) or wire.Part())
    return found


def _said(part: wire.Part, parts: list[Part], logprobs: list[TokenLogprob]) -> None:
    if part.refusal and part.type == "refusal":
        parts.append(Refusal(part.refusal))
        return
    text = text_of(part)
    if text is not None:
        parts.append(Text(text.text, citations=text.citations))
    logprobs += read_logprobs(part.logprobs)


def read_call(raw: msgspec.Raw, id: str, *, custom: bool) -> ToolCall:
    """A call. Raises msgspec.DecodeError."""
    call = loosely(raw, _call, wire.CalledItem)
    if call is None:
        raise msgspec.ValidationError("no call")
    told = (call.input or "") if custom else arguments_of(call.arguments) if len(call.arguments) else ""
    return ToolCall(call.call_id or id, call.name or "", told, custom=custom, item_id=call.id or "")


def read_other(raw: msgspec.Raw, kind: str) -> Part:
    """An image that the provider has drawn, or what else it has done itself. Raises msgspec.DecodeError."""
    if kind == "image_generation_call":
        image = _image.decode(raw)
        if image.result:
            return Image(data=image.result, media_type=f"image/{image.output_format or 'png'}")
    return Foreign(NAME, kind, bytes(raw))


def read_logprobs(raw: msgspec.Raw) -> list[TokenLogprob]:
    """Tokens and how likely they were; none if they cannot be read."""
    if len(raw) < 5:
        return []
    found = loosely(raw, _logprobs, list[wire.Logprob]) or []
    return [_token(one, tuple(_token(other, ()) for other in one.top_logprobs or ())) for one in found]


def _token(one: wire.TopLogprob, top: tuple[TokenLogprob, ...]) -> TokenLogprob:
    return TokenLogprob(one.token, one.logprob, tuple(one.bytes) if one.bytes is not None else None, top)
