"""Whole answers of Cohere's chat, read into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import ChatReply, Choice, Citation, Finish, Part, Text, Thinking, TokenLogprob, ToolCall
from encke.core.faults import Fault
from encke.dialects.cohere_chat.citations import PLAN, read_citation
from encke.dialects.cohere_chat.usage import parse_usage
from encke.dialects.cohere_chat.wire import Call, Content, Logprob, Message, Reply
from encke.dialects.faults import redact
from encke.dialects.mend import relaxed

_reply: Final = msgspec.json.Decoder(Reply)

# Why an answer ended (`ChatFinishReason`, and those of version 1 that some servers still say).
FINISHES: Final[dict[str, Finish]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "content_filter",
    "TIMEOUT": "error",
}


def parse_reply(data: bytes, call_id: str) -> ChatReply:
    """A whole answer. Raises Fault upstream_bad_response, or what a failure in it is."""
    reply = relaxed(data, _reply, Reply)
    if reply is None:
        raise Fault("upstream_bad_response", "The provider's answer is not one of Cohere's chat.", verdict="next")
    raw = reply.finish_reason or ""
    if raw in ("ERROR", "TIMEOUT"):
        raise failure(raw, "")
    choice = Choice(
        parts=_parts(reply.message, call_id),
        finish=FINISHES.get(raw, "other") if raw else None,
        finish_raw=raw,
        logprobs=tuple(logprob_of(one) for one in reply.logprobs or ()),
    )
    return ChatReply(choices=(choice,), id=reply.id or "", usage=parse_usage(reply.usage))


def failure(reason: str, said: str) -> Fault:
    """What an answer that ended with ERROR or TIMEOUT is. It came with status 200, so what it says is all there is."""
    if reason == "TIMEOUT":
        return Fault("upstream_timeout", "The provider gave up waiting for the model.", verdict="next")
    message = redact(said or "no reason given")
    return Fault("upstream_error", f"The provider reported a failure: {message}", verdict="again")


def logprob_of(item: Logprob) -> TokenLogprob:
    """Of a piece of text. Where it is several tokens, they are as likely as the product of all."""
    return TokenLogprob(token=item.text or "", logprob=float(sum(item.logprobs or ())))


def arguments_of(text: str | None) -> str:
    """The arguments of a call as JSON: a call without any has an empty text, or null."""
    return "{}" if text is None or text.strip() in ("", "null") else text


def made_id(call_id: str, number: int) -> str:
    """The id of a call that has none."""
    return f"call_{call_id.replace('-', '')}_{number}"


def _parts(message: Message, call_id: str) -> tuple[Part, ...]:
    blocks = message.content or []
    cited: dict[int, list[Citation]] = {}
    first = next((at for at, block in enumerate(blocks) if block.text is not None), 0)
    for raw in message.citations or ():
        at, citations = read_citation(raw)
        cited.setdefault(first if at is None else at, []).extend(citations)
    parts: list[Part] = [part for at, block in enumerate(blocks) if (part := _block(block, cited.get(at, [])))]
    if message.tool_plan:
        parts.append(Text(message.tool_plan, citations=tuple(cited.get(PLAN, ()))))
    parts.extend(_call(call, call_id, number) for number, call in enumerate(message.tool_calls or ()))
    return tuple(parts)


def _block(block: Content, cited: list[Citation]) -> Part | None:
    if block.thinking:
        return Thinking(block.thinking)
    return Text(block.text, citations=tuple(cited)) if block.text else None


def _call(call: Call, call_id: str, number: int) -> ToolCall:
    function = call.function
    return ToolCall(
        call.id or made_id(call_id, number),
        (function.name if function is not None else None) or "",
        arguments_of(function.arguments if function is not None else None),
    )
