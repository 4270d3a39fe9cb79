"""A provider's whole answer, into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import ChatReply, ChatRequest, Choice, Finish, Part, Refusal, Text, ToolCall
from encke.core.faults import Fault
from encke.dialects.anthropic_messages.block_wire import ReplyBody, ReplyUsage
from encke.dialects.anthropic_messages.names import SERVED_TIERS, finish_of
from encke.dialects.anthropic_messages.parse import decoded
from encke.dialects.anthropic_messages.parse_blocks import Blocks
from encke.dialects.anthropic_messages.tools import ToolNames, free_text
from encke.dialects.anthropic_messages.usage import parse_usage
from encke.dialects.mend import relaxed

_reply: Final = msgspec.json.Decoder(ReplyBody)
_usage: Final = msgspec.json.Decoder(ReplyUsage)


def parse_reply(data: bytes, request: ChatRequest) -> ChatReply:
    """Raises Fault upstream_bad_response, or what an error inside says."""
    decoded(data)
    reply = relaxed(data, _reply, ReplyBody)
    if reply is None:
        raise _senseless("it is no message")
    try:
        blocks = Blocks(asked=False)
        parts: list[Part] = []
        for index, raw in enumerate(reply.content):
            part = blocks.block(raw, "assistant", f"content[{index}]")
            if part is not None:
                parts.append(part)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _senseless(str(error)) from None
    except Fault as fault:
        raise _senseless(fault.message) from None
    names = ToolNames(request)
    parts = [_own(part, names) for part in parts]
    finish = finish_of(reply.stop_reason) if reply.stop_reason else None
    if reply.stop_details is not None and reply.stop_details.explanation:
        parts.append(Refusal(reply.stop_details.explanation))
    choice = Choice(
        tuple(parts),
        finish=settled(finish, any(isinstance(part, ToolCall) for part in parts), names.answer),
        finish_raw=reply.stop_reason or "",
        stop_sequence=reply.stop_sequence or "",
    )
    tier = _tier(reply.usage)
    return ChatReply(
        choices=(choice,),
        id=reply.id,
        model=reply.model,
        usage=parse_usage(reply.usage),
        service_tier=SERVED_TIERS.get(tier, tier),
    )


def settled(finish: Finish | None, calls: bool, answer: str) -> Finish | None:
    """Where a tool stood for the form of the answer, having called it is no reason to run one."""
    return "stop" if finish == "tool_calls" and answer and not calls else finish


def _own(part: Part, names: ToolNames) -> Part:
    """A call by the name that the caller knows, and as the answer that it stands for."""
    if not isinstance(part, ToolCall):
        return part
    if part.name == names.answer:
        return Text(part.arguments)
    if names.takes_text(part.name):
        return ToolCall(part.id, names.own(part.name), free_text(part.arguments), custom=True)
    return msgspec.structs.replace(part, name=names.own(part.name))


def _tier(raw: msgspec.Raw) -> str:
    try:
        return _usage.decode(raw).service_tier or "" if len(raw) else ""
    except (msgspec.DecodeError, RecursionError):
        return ""


def _senseless(why: str) -> Fault:
    return Fault("upstream_bad_response", f"The provider's answer makes no sense: {why}", verdict="next")
