"""A whole answer from the hub, for a caller of this wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from encke.core.chat import (
    Audio,
    ChatReply,
    Choice,
    Citation,
    Image,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from encke.dialects import data_url
from encke.dialects.openai_chat.fields import is_legacy, wants_thoughts
from encke.dialects.openai_chat.finish import write_finish
from encke.dialects.openai_chat.logprobs import write_logprobs
from encke.dialects.openai_chat.thoughts import details_of, extra_content
from encke.dialects.openai_chat.usage_out import render_usage
from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode
ID_PREFIX: Final = "chatcmpl-"
NO_ARGUMENTS: Final = "{}"  # callers parse them, so there have to be some


def render_reply(reply: ChatReply, request: Request, call_id: str, created: int) -> bytes:
    """The body. `created` in UTC seconds, for where upstream has not told it."""
    legacy, thoughts = is_legacy(request.body), wants_thoughts(request.body)
    made: dict[str, Any] = {
        "id": ID_PREFIX + call_id,
        "object": "chat.completion",
        "created": reply.created or created,
        "model": reply.model or request.model,
        "choices": [_choice(choice, at, legacy, thoughts) for at, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        made["usage"] = msgspec.Raw(render_usage(reply.usage))
    if reply.service_tier:
        made["service_tier"] = reply.service_tier
    if reply.fingerprint:
        made["system_fingerprint"] = reply.fingerprint
    return _encode(made)


def _choice(choice: Choice, index: int, legacy: bool, thoughts: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"index": index, "message": _message(choice, legacy, thoughts)}
    made["logprobs"] = write_logprobs(choice.logprobs, refused=_is_refused(choice)) if choice.logprobs else None
    if choice.finish is None:
        made["finish_reason"] = None
    else:
        calls = any(isinstance(part, ToolCall) for part in choice.parts)
        made.update(write_finish(choice.finish, choice.finish_raw, choice.stop_sequence, calls=calls, legacy=legacy))
    return made


def _is_refused(choice: Choice) -> bool:
    """Whether it says nothing but that the model will not."""
    said = [part for part in choice.parts if isinstance(part, Text | Refusal)]
    return bool(said) and all(isinstance(part, Refusal) for part in said)


def _message(choice: Choice, legacy: bool, thoughts: bool) -> dict[str, Any]:
    texts = [part for part in choice.parts if isinstance(part, Text)]
    refusals = [part.text for part in choice.parts if isinstance(part, Refusal)]
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    content = "".join(text.text for text in texts)
    made: dict[str, Any] = {
        "role": "assistant",
        "content": content if content or not (calls or refusals) else None,
        "refusal": "".join(refusals) or None,
    }
    annotations = _annotations(texts)
    if annotations:
        made["annotations"] = annotations
    if thoughts:
        _write_thoughts([part for part in choice.parts if isinstance(part, Thinking)], made)
    signed = [text for text in texts if text.signature]
    if signed:
        made["extra_content"] = extra_content(signed[-1].signature, signed[-1].origin)
    _write_calls(calls, made, legacy)
    images = [part for part in choice.parts if isinstance(part, Image)]
    if images:
        made["images"] = [image_entry(image, at) for at, image in enumerate(images)]
    sound = next((part for part in choice.parts if isinstance(part, Audio)), None)
    if sound is not None:
        made["audio"] = audio_entry(sound)
    return made


def _write_thoughts(thoughts: list[Thinking], made: dict[str, Any]) -> None:
    text = "".join(thought.text for thought in thoughts)
    if text:
        made["reasoning_content"] = text
    if any(thought.signature for thought in thoughts):
        details = made["reasoning_details"] = []
        for thought in thoughts:
            details += details_of(thought, len(details))


def _write_calls(calls: list[ToolCall], made: dict[str, Any], legacy: bool) -> None:
    if calls and legacy:
        made["function_call"] = {"name": calls[0].name, "arguments": _arguments(calls[0])}
    elif calls:
        made["tool_calls"] = [_call(call) for call in calls]


def _call(call: ToolCall) -> dict[str, Any]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": _arguments(call)}
    made: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
    if call.signature:
        made["extra_content"] = extra_content(call.signature, call.origin)
    return made


def _arguments(call: ToolCall) -> str:
    return call.arguments if call.arguments.strip() else NO_ARGUMENTS


def _annotations(texts: Iterable[Text]) -> list[dict[str, Any]]:
    made, begin = [], 0
    for text in texts:
        end = begin + len(text.text)
        made += [annotation(citation, begin, end) for citation in text.citations]
        begin = end
    return made


def annotation(citation: Citation, begin: int, end: int) -> dict[str, Any]:
    """A citation of the text from `begin` to `end` of the content. Callers that check know `url_citation` alone, with
    all of its fields, so what has no address has an empty one; what is cited is OpenRouter's `content`."""
    made: dict[str, Any] = {
        "start_index": begin if citation.start is None else begin + citation.start,
        "end_index": end if citation.end is None else begin + citation.end,
        "url": citation.url,
        "title": citation.title or citation.url,
    }
    if citation.quote:
        made["content"] = citation.quote
    return {"type": "url_citation", "url_citation": made}


def image_entry(image: Image, index: int) -> dict[str, Any]:
    """An image of an answer, as OpenRouter has it."""
    url = data_url.join(image.media_type, image.data) if image.data else image.url
    return {"type": "image_url", "index": index, "image_url": {"url": url}}


def audio_entry(sound: Audio) -> dict[str, Any]:
    """Sound of an answer."""
    return {"id": sound.id, "data": sound.data, "transcript": sound.transcript, "expires_at": sound.expires_at}
